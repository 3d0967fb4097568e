"""The names under which the library has its functions for NumPy."""

from .tensorfile import load_arrays as load_file
from .tensorfile import save_arrays as save_file

__all__ = ["load_file", "save_file"]
