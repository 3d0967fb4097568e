"""Colour profiles written by hand, so that no package with profiles is needed: matrix, grey and a small CMYK one."""

from __future__ import annotations

import struct

import numpy as np
from numpy.typing import NDArray

D50 = (0.9642, 1.0, 0.8249)
SPACES = {
    # primaries and white as xy, exponent
    "sRGB": ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06), (0.3127, 0.3290), None),
    "Adobe RGB": ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06), (0.3127, 0.3290), 2.19921875),
    "Display P3": ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06), (0.3127, 0.3290), None),
    "ProPhoto": ((0.7347, 0.2653), (0.1596, 0.8404), (0.0366, 0.0001), (0.3457, 0.3585), 1.8),
}
BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def to_xyz(space: str) -> NDArray[np.float64]:
    """(3, 3) from linear RGB to XYZ under D50."""
    *primaries, white, _ = SPACES[space]
    columns = np.array([(x / y, 1, (1 - x - y) / y) for x, y in primaries]).T
    x, y = white
    seen = np.array([x / y, 1, (1 - x - y) / y])
    matrix = columns * np.linalg.solve(columns, seen)
    gains = (BRADFORD @ D50) / (BRADFORD @ seen)
    return np.linalg.inv(BRADFORD) @ np.diag(gains) @ BRADFORD @ matrix


def linear(space: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Light of values from 0 to 1."""
    if (exponent := SPACES[space][4]) is not None:
        return values**exponent
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def encoded(space: str, light: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values from 0 to 1 of light."""
    light = light.clip(0, 1)
    if (exponent := SPACES[space][4]) is not None:
        return light ** (1 / exponent)
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def in_space(space: str, srgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w, 3) uint8 sRGB as the numbers that mean the same colours in another space."""
    matrix = np.linalg.inv(to_xyz(space)) @ to_xyz("sRGB")
    return np.rint(255 * encoded(space, linear("sRGB", srgb / 255) @ matrix.T)).astype(np.uint8)


def rgb_profile(space: str, name: str = "") -> bytes:
    """A matrix profile of one of SPACES."""
    curve = _curve(linear(space, np.linspace(0, 1, 1024)))
    columns = {f"{c}XYZ": _xyz(to_xyz(space)[:, i]) for i, c in enumerate("rgb")}
    return _profile("mntr", "RGB ", "XYZ ", {**columns, **{f"{c}TRC": curve for c in "rgb"}}, name or space)


def grey_profile(exponent: float) -> bytes:
    """Grey by a power."""
    return _profile("mntr", "GRAY", "XYZ ", {"kTRC": _curve(np.linspace(0, 1, 1024) ** exponent)}, "grey")


def cmyk_profile() -> bytes:
    """Inks that absorb a little less than they should, on two grid points a channel."""
    inks = np.array(np.meshgrid(*[[0, 1]] * 4, indexing="ij")).reshape(4, -1).T
    lightness = 100 * (1 - 0.9 * inks[:, 3]) * (1 - inks[:, :3] @ (0.45, 0.35, 0.08))
    a = 60 * (inks[:, 1] - inks[:, 0]) * (1 - inks[:, 3])
    b = 60 * (inks[:, 2] - 0.5 * inks[:, 0] - 0.5 * inks[:, 1]) * (1 - inks[:, 3])
    grid = np.stack([lightness * 2.55, a + 128, b + 128], axis=1).round().clip(0, 255).astype(np.uint8)
    ramp = bytes(range(256))
    identity = b"".join(struct.pack(">i", 65536 * (i == j)) for i in range(3) for j in range(3))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0)) + identity + 4 * ramp + grid.tobytes() + 3 * ramp
    return _profile("prtr", "CMYK", "Lab ", {"A2B0": table}, "inks")


def _profile(kind: str, space: str, connection: str, tags: dict[str, bytes], name: str) -> bytes:
    text = name.encode("ascii") + b"\0"
    about = {
        "desc": b"desc" + bytes(4) + struct.pack(">I", len(text)) + text + bytes(78),
        "cprt": b"text" + bytes(4) + b"free\0",
        "wtpt": _xyz(np.array(D50)),
    }
    tags = about | tags
    place, index, body = 128 + 4 + 12 * len(tags), b"", b""
    for tag, content in tags.items():
        index += tag.encode() + struct.pack(">II", place + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = struct.pack(
        ">I4sI4s4s4s", place + len(body), b"test", 0x02400000, *(s.encode() for s in (kind, space, connection))
    )
    header += struct.pack(">6H4s4sI4s4sQI", 2026, 1, 1, 0, 0, 0, b"acsp", b"\0" * 4, 0, b"\0" * 4, b"\0" * 4, 0, 0)
    return (header + _xyz(np.array(D50))[8:]).ljust(128, b"\0") + struct.pack(">I", len(tags)) + index + body


def _xyz(values: NDArray[np.float64]) -> bytes:
    return b"XYZ " + bytes(4) + b"".join(struct.pack(">i", round(v * 65536)) for v in values)


def _curve(values: NDArray[np.float64]) -> bytes:
    return b"curv" + bytes(4) + struct.pack(">I", len(values)) + np.rint(values * 65535).astype(">u2").tobytes()
