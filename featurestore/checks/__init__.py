"""Checks of what the store holds: each is one small function that gives findings."""
