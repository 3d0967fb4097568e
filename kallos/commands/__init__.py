"""The commands, by what a user is about: data, learning, reading, use."""
