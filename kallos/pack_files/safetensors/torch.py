"""The names under which the library has its functions for torch."""

from .tensorfile import load_file, save_file

__all__ = ["load_file", "save_file"]
