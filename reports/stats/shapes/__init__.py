"""Geometric morphometrics of faces: frames in, frames out."""
