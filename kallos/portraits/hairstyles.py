"""Hairstyles as control points in head coordinates (see `anatomy`)."""

from typing import NamedTuple

from kallos.portraits.canvas import Points, points


class Lock(NamedTuple):
    """The inner edge (hairline) and the outer edge of a lock of hair, in the same direction."""

    inner: Points
    outer: Points
    combed_back: bool = False


def _mirrored(lock: Lock) -> tuple[Lock, ...]:
    return tuple(Lock(lock.inner * (side, 1), lock.outer * (side, 1)) for side in (-1, 1))


# fmt: off
_LONG = Lock(
    points((1, -99), (26, -86), (54, -62), (70, -34), (79, -4), (82, 40), (84, 95), (80, 150), (86, 205)),
    points((0, -129), (42, -126), (78, -102), (102, -56), (110, 0), (113, 55), (122, 110), (128, 160), (112, 208)),
)
_BOB = Lock(
    points((1, -99), (30, -86), (56, -62), (71, -34), (80, -4), (82, 34), (82, 66), (74, 98)),
    points((0, -129), (44, -126), (82, -102), (104, -54), (112, 2), (113, 46), (108, 84), (80, 108)),
)
_SIDE_PART = (
    Lock(
        points((-29, -92), (-46, -78), (-62, -54), (-73, -28), (-79, 0), (-83, 44), (-88, 88), (-92, 140)),
        points((-31, -126), (-58, -120), (-86, -94), (-102, -52), (-109, 0), (-114, 50), (-118, 96), (-108, 150)),
    ),
    Lock(
        points((-30, -92), (10, -93), (46, -72), (68, -40), (79, -4), (83, 40), (80, 84), (88, 120), (84, 165)),
        points((-30, -126), (20, -136), (74, -112), (102, -62), (110, 0), (108, 46), (120, 88), (116, 130), (100, 170)),
    ),
)
_PULLED_BACK = Lock(
    points((-80, 4), (-74, -28), (-64, -58), (-40, -86), (0, -97), (40, -86), (64, -58), (74, -28), (80, 4)),
    points((-87, -6), (-91, -52), (-76, -98), (-40, -122), (0, -129), (40, -122), (76, -98), (91, -52), (87, -6)),
    combed_back=True,
)
_CROP = Lock(
    points((-80, 2), (-73, -34), (-66, -62), (-38, -82), (0, -85), (38, -82), (66, -62), (73, -34), (80, 2)),
    points((-84, -10), (-90, -58), (-76, -104), (-38, -124), (0, -128), (38, -124), (76, -104), (90, -58), (84, -10)),
    combed_back=True,
)
_QUIFF = Lock(
    points((-80, 4), (-74, -34), (-67, -64), (-44, -88), (0, -92), (44, -88), (67, -64), (74, -34), (80, 4)),
    points((-83, -10), (-88, -58), (-80, -108), (-50, -140), (0, -150), (46, -142), (78, -110), (88, -58), (83, -10)),
    combed_back=True,
)
_SWEPT = Lock(
    points((-80, 4), (-73, -36), (-60, -72), (-44, -92), (-10, -86), (30, -76), (60, -58), (73, -36), (80, 4)),
    points((-84, -10), (-91, -60), (-78, -108), (-44, -130), (0, -138), (44, -132), (82, -108), (93, -58), (85, -10)),
    combed_back=True,
)

BEHIND = {
    "long": points((0, -128), (60, -118), (98, -66), (108, 10), (112, 90), (122, 175), (90, 215), (0, 215)),
    "side_part": points((0, -128), (60, -118), (96, -66), (104, 10), (114, 80), (112, 140), (84, 172), (0, 170)),
    "bob": points((0, -128), (62, -118), (100, -64), (108, 10), (106, 70), (96, 104), (50, 118), (0, 118)),
}
"""Right half of the hair behind the head, for the styles that have it."""

BUN = points((0, -160), (24, -155), (35, -138), (26, -118), (0, -108), (-26, -118), (-35, -138), (-24, -155))
# fmt: on

FRONT = {
    "long": _mirrored(_LONG),
    "side_part": _SIDE_PART,
    "bob": _mirrored(_BOB),
    "bun": (_PULLED_BACK,),
    "crop": (_CROP,),
    "quiff": (_QUIFF,),
    "swept": (_SWEPT,),
    "curls": (_CROP,),
}
"""The locks before the head, by style; drawn in this order."""
