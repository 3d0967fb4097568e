"""Model A: the photo itself, seen by a network."""
