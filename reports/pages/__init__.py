"""The reports: each queries plain data from the store and lays it out for a reader."""
