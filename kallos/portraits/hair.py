"""Hair: a part behind the head, a cap or curtain in front, and strands upon both."""

import numpy as np

from kallos.portraits.anatomy import Head
from kallos.portraits.canvas import Canvas, Points, mix, smooth
from kallos.portraits.hairstyles import BEHIND, BUN, FRONT, Lock
from kallos.portraits.palette import HAIR, Colour, rgb

_SHINE = rgb(255, 222, 178)
_CURLS = 21
_TURN = np.linspace(0, 2 * np.pi, 12, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def draw_hair_behind(canvas: Canvas, head: Head) -> None:
    """What is seen of the hair behind face, neck and shoulders."""
    style, colour = head.p.hair_style, HAIR[head.p.hair_colour]
    if style == "bun":
        _draw_bun(canvas, head, colour)
    for lock in FRONT[style]:
        # Fills what would show between face and hairline when the head is turned.
        canvas.lay(head.project(smooth(lock.outer, closed=False), surface=False), colour * 0.5)
    if style in BEHIND:
        right = BEHIND[style]
        both = np.vstack([right, right[::-1][1:-1] * (-1, 1)])
        canvas.lay(head.project(smooth(both), surface=False, lift=-10), colour * 0.62, 1.0, head.pixels(0.5))


def _draw_bun(canvas: Canvas, head: Head, colour: Colour) -> None:
    canvas.lay(head.project(smooth(BUN), surface=False), colour * 0.82, 1.0, head.pixels(0.5))
    centre = BUN.mean(axis=0)
    halves = [smooth(BUN[:6] * (side, 1), closed=False) for side in (-1, 1)]
    coils = [
        head.project(centre + (half - centre) * share, surface=False) for half in halves for share in (0.35, 0.6, 0.82)
    ]
    canvas.lay(coils, mix(colour, _SHINE, 0.2), 0.5, head.pixels(0.9), head.pixels(2))


def draw_hair_front(canvas: Canvas, head: Head, rng: np.random.Generator) -> None:
    """Hair that frames the forehead; it leaves the forehead and the brows free."""
    for lock in FRONT[head.p.hair_style]:
        _draw_lock(canvas, head, lock, rng)
    if head.p.hair_style == "curls":
        for reach, tone in ((18.0, 0.62), (10.0, 0.80), (0.0, 1.0)):
            _draw_row_of_curls(canvas, head, rng, reach, HAIR[head.p.hair_colour] * np.float32(tone))


def _draw_lock(canvas: Canvas, head: Head, lock: Lock, rng: np.random.Generator) -> None:
    colour = HAIR[head.p.hair_colour]
    # Short ends stick out at the edges; long hair falls smoothly.
    rough = 0.7 if lock.combed_back else 0.15
    near = head.project(_rough(smooth(lock.inner, closed=False), rng, rough))
    far = head.project(_rough(smooth(lock.outer, closed=False), rng, rough), surface=False)
    shape = np.vstack([near, far[::-1]])
    canvas.lay(shape, colour * 0.3, 0.4, head.pixels(3.0))
    canvas.lay(shape, colour, 1.0, head.pixels(0.4))
    within = canvas.full_coverage(shape, head.pixels(0.4))
    strands = _across(near, far, rng) if lock.combed_back else _along(near, far, rng)
    for tone, opacity in ((colour * 0.62, 0.55), (mix(colour, _SHINE, 0.22), 0.45)):
        chosen = [strand for strand in strands if rng.uniform() < 0.4]
        canvas.lay(chosen, tone, opacity, head.pixels(0.7), head.pixels(1.7), within)
    # Hair shines in a band half-way between hairline and outer edge, and is dark at its roots and its rim.
    band = near + (far - near) * 0.55
    canvas.lay(band, mix(colour, _SHINE, 0.4), 0.30, head.pixels(4.5), head.pixels(9), within)
    canvas.lay(near, colour * 0.45, 0.45, head.pixels(3.0), head.pixels(5), within)
    canvas.lay(far, colour * 0.55, 0.50, head.pixels(4.0), head.pixels(7), within)


def _rough(edge: Points, rng: np.random.Generator, amount: float) -> Points:
    return edge + rng.normal(0, amount, edge.shape)


def _along(near: Points, far: Points, rng: np.random.Generator) -> list[Points]:
    """Strands that follow the hairline, from the parting down."""
    return [near + (far - near) * share for share in rng.uniform(0.03, 0.97, 46)]


def _across(near: Points, far: Points, rng: np.random.Generator) -> list[Points]:
    """Strands combed away from the hairline, leaning out as they rise."""
    start = rng.uniform(0, len(near) - 1, 110)
    middle = (len(near) - 1) / 2
    end = np.clip(middle + (start - middle) * rng.uniform(0.78, 1.0, 110), 0, len(far) - 1)
    root, tip = near[start.astype(int)][:, None], far[end.astype(int)][:, None]
    share = np.array([0.0, 0.33, 0.67, 1.0])[None, :, None]
    bend = 0.22 * (root - tip) * (1, 0) * np.sin(np.pi * share)
    return list(root + (tip - root) * share + bend)


def _draw_row_of_curls(canvas: Canvas, head: Head, rng: np.random.Generator, reach: float, colour: Colour) -> None:
    """An arch of round curls from ear to ear, `reach` outside the hairline."""
    angles = np.linspace(-1.6, 1.6, _CURLS) + rng.normal(0, 0.05, _CURLS)
    radii = rng.uniform(6.5, 11.0, _CURLS)
    middles = np.stack([np.sin(angles) * (77 + reach), -38 - np.cos(angles) * (58 + 1.6 * reach)], axis=1)
    middles += rng.normal(0, 2.2, middles.shape)
    rings = (middles[:, None] + _CIRCLE * radii[:, None, None]).reshape(-1, 2)
    curls = head.project(rings, surface=False).reshape(_CURLS, len(_CIRCLE), 2)
    centres = curls.mean(axis=1, keepdims=True)
    low = list(centres + 0.85 * (curls - centres)[:, :5])
    high = list(centres + 0.55 * (curls - centres)[:, 6:10])
    canvas.lay(list(curls), colour, 1.0, head.pixels(0.7))
    canvas.lay(low, colour * 0.6, 0.5, head.pixels(1.0), head.pixels(1.8))
    canvas.lay(high, mix(colour, _SHINE, 0.25), 0.6, head.pixels(1.0), head.pixels(2.2))
