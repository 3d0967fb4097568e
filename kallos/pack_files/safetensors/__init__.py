"""Stands in for the library: what training Model A needs of it, and the same files.

All is defined in `tensorfile`, because the names `torch` and `numpy` in this file would soon mean its neighbours.
"""

from .tensorfile import SafetensorError, safe_open

__all__ = ["SafetensorError", "safe_open"]
