"""The sets of landmarks that kallos knows, a file each."""
