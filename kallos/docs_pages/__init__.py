"""Generates pages of docs/ from the code: `make docs`."""
