"""The web page of `kallos serve`, and its JSON API."""
