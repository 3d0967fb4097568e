"""Hair: a part behind the head, a cap or curtain in front, and strands upon both."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from kallos.portraits.anatomy import Head
from kallos.portraits.canvas import Canvas, Points, mix, smooth
from kallos.portraits.palette import HAIR, rgb

class Lock(NamedTuple):
    """The inner (hairline) and the outer edge of a lock of hair: control points in the same direction."""

    inner: Points
    outer: Points
    combed_back: bool = False


_BEHIND = {
    "long": [(0, -128), (60, -118), (98, -66), (108, 10), (112, 90), (122, 175), (90, 215), (0, 215)],
    "side_part": [(0, -128), (60, -118), (96, -66), (104, 10), (114, 80), (112, 140), (84, 172), (0, 170)],
    "bob": [(0, -128), (62, -118), (100, -64), (108, 10), (106, 70), (96, 104), (50, 118), (0, 118)],
}
"""Right half of the hair behind the head."""


def draw_hair_behind(canvas: Canvas, head: Head, rng: np.random.Generator) -> None:
    """What is seen of the hair behind neck and shoulders."""
    style, colour = head.p.hair_style, HAIR[head.p.hair_colour]
    if style == "bun":
        ring = np.array([(0, -172), (24, -166), (36, -146), (26, -122), (0, -112), (-26, -122), (-36, -146), (-24, -166)])
        knot = head.project(smooth(ring), surface=False)
        canvas.lay(knot, colour * 0.82, 1.0, head.pixels(0.5))
        centre = ring.mean(axis=0)
        arcs = [smooth(ring[:6] * (side, 1), closed=False) for side in (-1, 1)]
        lines = [head.project(centre + (arc - centre) * share, surface=False) for arc in arcs for share in (0.35, 0.6, 0.82)]
        canvas.lay(lines, mix(colour, rgb(255, 226, 180), 0.2), 0.5, head.pixels(0.9), head.pixels(2))
    for lock in _FRONT[style](head):
        # Fills what would show between face and hairline when the head is turned.
        canvas.lay(head.project(smooth(lock.outer), surface=False), colour * 0.5)
    if style in _BEHIND:
        right = np.array(_BEHIND[style], dtype=float)
        both = np.vstack([right, right[::-1][1:-1] * (-1, 1)])
        canvas.lay(head.project(smooth(both), surface=False, lift=-10), colour * 0.62, 1.0, head.pixels(0.5))


def draw_hair_front(canvas: Canvas, head: Head, rng: np.random.Generator) -> None:
    """Hair that frames the forehead; it leaves the forehead and the brows free."""
    for lock in _FRONT[head.p.hair_style](head):
        _draw_lock(canvas, head, lock, rng)
    if head.p.hair_style == "curls":
        _draw_curls(canvas, head, rng)


def _draw_lock(canvas: Canvas, head: Head, lock: Lock, rng: np.random.Generator) -> None:
    colour = HAIR[head.p.hair_colour]
    near = head.project(_rough(smooth(lock.inner, closed=False), rng, 0.5))
    far = head.project(_rough(smooth(lock.outer, closed=False), rng, 0.9), surface=False)
    shape = np.vstack([near, far[::-1]])
    canvas.lay(shape, colour * 0.3, 0.4, head.pixels(3.0))
    canvas.lay(shape, colour, 1.0, head.pixels(0.4))
    within = canvas.full_coverage(shape, head.pixels(0.4))
    strands = _across(near, far, rng) if lock.combed_back else _along(near, far, rng)
    for tone, opacity in ((colour * 0.62, 0.55), (mix(colour, rgb(255, 222, 178), 0.22), 0.45)):
        chosen = [strand for strand in strands if rng.uniform() < 0.4]
        canvas.lay(chosen, tone, opacity, head.pixels(0.7), head.pixels(1.7), within)
    # Hair shines in a band half-way between hairline and outer edge, and is dark at its roots.
    band = near + (far - near) * 0.55
    canvas.lay(band, mix(colour, rgb(255, 226, 186), 0.4), 0.30, head.pixels(4.5), head.pixels(9), within)
    canvas.lay(near, colour * 0.45, 0.45, head.pixels(3.0), head.pixels(5), within)
    canvas.lay(far, colour * 0.55, 0.50, head.pixels(4.0), head.pixels(7), within)


def _rough(edge: Points, rng: np.random.Generator, amount: float) -> Points:
    return edge + rng.normal(0, amount, edge.shape)


def _along(near: Points, far: Points, rng: np.random.Generator) -> list[Points]:
    """Strands that follow the hairline, from the parting down."""
    return [near + (far - near) * at for at in rng.uniform(0.03, 0.97, 60)]


def _across(near: Points, far: Points, rng: np.random.Generator) -> list[Points]:
    """Strands combed away from the hairline, leaning out as they rise."""
    strands = []
    for start in rng.uniform(0, len(near) - 1, 130):
        begin = near[int(start)]
        middle = (len(far) - 1) / 2
        end = far[int(np.clip(middle + (start - middle) * rng.uniform(0.78, 1.0), 0, len(far) - 1))]
        bend = np.array([0.22 * (begin[0] - end[0]), 0.0])
        share = np.array([0.0, 0.33, 0.67, 1.0])[:, None]
        strands.append(begin + (end - begin) * share + bend * np.sin(np.pi * share))
    return strands


def _draw_curls(canvas: Canvas, head: Head, rng: np.random.Generator) -> None:
    colour = HAIR[head.p.hair_colour]
    turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    circle = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    for reach, tone in ((18.0, 0.62), (10.0, 0.80), (0.0, 1.0)):
        angles = np.linspace(-1.72, 1.72, 21) + rng.normal(0, 0.05, 21)
        radii = rng.uniform(6.5, 11.0, 21)
        at = np.stack([np.sin(angles) * (73 + reach), -36 - np.cos(angles) * (60 + 1.6 * reach)], axis=1)
        at += rng.normal(0, 2.2, at.shape)
        curls = [head.project(c + circle * r, surface=False) for c, r in zip(at, radii, strict=True)]
        shines = [head.project(c + circle[6:10] * r * 0.55, surface=False) for c, r in zip(at, radii, strict=True)]
        shades = [head.project(c + circle[:5] * r * 0.85, surface=False) for c, r in zip(at, radii, strict=True)]
        canvas.lay(curls, colour * tone, 1.0, head.pixels(0.7))
        canvas.lay(shades, colour * tone * 0.6, 0.5, head.pixels(1.0), head.pixels(1.8))
        canvas.lay(shines, mix(colour * tone, rgb(255, 222, 178), 0.25), 0.6, head.pixels(1.0), head.pixels(2.2))


def _both_sides(inner: Points, outer: Points) -> list[Lock]:
    return [Lock(inner * (side, 1), outer * (side, 1)) for side in (-1, 1)]


def _cheek(head: Head, offset: float) -> float:
    """x of the side of the face plus an offset: hair follows the face's width and hides none of it."""
    return 80 * head.p.cheek_width + offset


def _long(head: Head) -> list[Lock]:
    side = 80
    inner = [(1, -99), (26, -86), (54, -62), (70, -34), (side - 1, -4), (side + 2, 40), (84, 95), (80, 150), (86, 205)]
    outer = [(0, -129), (42, -126), (78, -102), (102, -56), (110, 0), (113, 55), (122, 110), (128, 160), (112, 208)]
    return _both_sides(np.array(inner, dtype=float), np.array(outer, dtype=float))


def _side_part(head: Head) -> list[Lock]:
    side = 80
    inner = [(-30, -92), (10, -93), (46, -72), (68, -40), (side - 1, -4), (side + 3, 40), (80, 84), (88, 120), (84, 165)]
    outer = [(-30, -126), (20, -136), (74, -112), (102, -62), (110, 0), (108, 46), (120, 88), (116, 130), (100, 170)]
    short = [(-29, -92), (-46, -78), (-62, -54), (-73, -28), (-side + 1, 0), (-side - 3, 44), (-88, 88), (-92, 140)]
    back = [(-31, -126), (-58, -120), (-86, -94), (-102, -52), (-109, 0), (-114, 50), (-118, 96), (-108, 150)]
    lists = (inner, outer, short, back)
    a, b, c, d = (np.array(points, dtype=float) for points in lists)
    return [Lock(c, d), Lock(a, b)]


def _bob(head: Head) -> list[Lock]:
    side = 80
    inner = [(1, -99), (30, -86), (56, -62), (71, -34), (side, -4), (side + 2, 34), (82, 66), (74, 98)]
    outer = [(0, -129), (44, -126), (82, -102), (104, -54), (112, 2), (113, 46), (108, 84), (80, 108)]
    return _both_sides(np.array(inner, dtype=float), np.array(outer, dtype=float))


def _bun(head: Head) -> list[Lock]:
    side = 80
    inner = [(-side, 4), (-74, -28), (-64, -58), (-40, -86), (0, -97), (40, -86), (64, -58), (74, -28), (side, 4)]
    outer = [(-side - 7, -6), (-91, -52), (-76, -98), (-40, -122), (0, -129), (40, -122), (76, -98), (91, -52)]
    outer += [(side + 7, -6)]
    return [Lock(np.array(inner, dtype=float), np.array(outer, dtype=float), combed_back=True)]


def _crop(head: Head) -> list[Lock]:
    side = 80
    inner = [(-side, 2), (-73, -34), (-66, -62), (-38, -82), (0, -85), (38, -82), (66, -62), (73, -34), (side, 2)]
    outer = [(-side - 4, -10), (-90, -58), (-76, -104), (-38, -124), (0, -128), (38, -124), (76, -104), (90, -58)]
    outer += [(side + 4, -10)]
    return [Lock(np.array(inner, dtype=float), np.array(outer, dtype=float), combed_back=True)]


def _quiff(head: Head) -> list[Lock]:
    side = 80
    inner = [(-side, 4), (-74, -34), (-67, -64), (-44, -88), (0, -92), (44, -88), (67, -64), (74, -34), (side, 4)]
    outer = [(-side - 3, -10), (-88, -58), (-80, -108), (-50, -140), (0, -150), (46, -142), (78, -110), (88, -58)]
    outer += [(side + 3, -10)]
    return [Lock(np.array(inner, dtype=float), np.array(outer, dtype=float), combed_back=True)]


def _swept(head: Head) -> list[Lock]:
    side = 80
    inner = [(-side, 4), (-73, -36), (-60, -72), (-44, -92), (-10, -86), (30, -76), (60, -58), (73, -36), (side, 4)]
    outer = [(-side - 4, -10), (-91, -60), (-78, -108), (-44, -130), (0, -138), (44, -132), (82, -108), (93, -58)]
    outer += [(side + 5, -10)]
    return [Lock(np.array(inner, dtype=float), np.array(outer, dtype=float), combed_back=True)]


_FRONT = {
    "long": _long,
    "side_part": _side_part,
    "bob": _bob,
    "bun": _bun,
    "crop": _crop,
    "quiff": _quiff,
    "swept": _swept,
    "curls": _crop,
}
