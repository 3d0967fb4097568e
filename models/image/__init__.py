"""Model A: a network on the photo itself."""
