"""Eyes and brows."""

import numpy as np

from kallos.portraits.anatomy import Head
from kallos.portraits.canvas import Canvas, Field, Points, mix, moved, points, smooth
from kallos.portraits.palette import HAIR, IRIS, rgb, skin_base

_TURN = np.linspace(0, 2 * np.pi, 28, endpoint=False)
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1)


def draw_eye(canvas: Canvas, head: Head, side: int) -> None:
    """Eyeball, iris, lids, lashes and crease of one eye."""
    upper, lower = (smooth(lid, closed=False) for lid in head.eye_lids(side))
    opening = head.project(np.vstack([upper, lower[::-1]]))
    within = canvas.full_coverage(opening, head.pixels(0.35))
    canvas.lay(opening, rgb(240, 234, 228), 1.0, head.pixels(0.35))
    corner = upper[:1] + points((0, -2), (4.5 * side, -1), (4.5 * side, 2), (0, 2))
    canvas.lay(head.project(smooth(corner)), rgb(214, 150, 138), 0.8, head.pixels(1.0), within=within)
    _draw_iris(canvas, head, side, within)
    shadow = np.vstack([moved(upper, 0, -2), moved(upper[::-1], 0, 3.0)])
    canvas.lay(head.project(shadow), rgb(70, 52, 50), 0.50, head.pixels(1.3), within=within)
    _draw_lids(canvas, head, side, upper, lower)


def _draw_iris(canvas: Canvas, head: Head, side: int, within: Field) -> None:
    colour = IRIS[head.p.eye_colour]
    radius = 8.9 * (0.5 + 0.5 * head.p.eye_width)
    # The gaze meets the viewer: eyes turn back about half of what the head turns.
    gaze = (-0.10 * head.p.yaw, -0.7)
    centre = moved(head.eye_centre(side), *gaze)
    black = rgb(22, 17, 18)
    round_iris = np.array([1 / head.p.cheek_width, 1.0])

    def disc(scale: float, offset: tuple[float, float] = (0.0, 0.0)) -> Points:
        return head.project(centre + offset + _CIRCLE * round_iris * radius * scale)

    canvas.lay(disc(1.0), colour * 0.42, 1.0, head.pixels(0.35), within=within)
    canvas.lay(disc(0.86), colour, 1.0, head.pixels(0.8), within=within)
    canvas.lay(disc(0.52, (0.0, 3.4)), mix(colour, rgb(255, 236, 200), 0.42), 0.7, head.pixels(1.4), within=within)
    canvas.lay(disc(0.42), black, 1.0, head.pixels(0.35), within=within)
    glint = 2.6 * (1 if head.p.light_direction >= 0 else -1)
    canvas.lay(disc(0.22, (glint, -2.6)), rgb(255, 255, 255), 0.95, head.pixels(0.3), within=within)
    canvas.lay(disc(0.12, (-0.8 * glint, 2.8)), rgb(255, 255, 255), 0.4, head.pixels(0.3), within=within)


def _draw_lids(canvas: Canvas, head: Head, side: int, upper: Points, lower: Points) -> None:
    base = skin_base(head.p.skin_tone)
    lash = mix(rgb(30, 22, 22), HAIR[head.p.hair_colour] * 0.5, 0.3)
    female = head.p.is_female
    share = np.linspace(0, 1, len(upper))[:, None]
    weight = (1.9 if female else 1.3) * (0.35 + 0.65 * share) * np.minimum(1, 8 * (1.04 - share))
    wing = upper.copy()
    if female:
        wing[-3:] += np.array([[0, 0], [1.0 * side, -0.4], [3.2 * side, -1.9]])
    line = np.vstack([wing + weight * (0, -1), moved(upper[::-1], 0, 0.7)])
    canvas.lay(head.project(line), lash, 0.95, head.pixels(0.35))
    canvas.lay(head.project(lower), base * rgb(0.50, 0.33, 0.30), 0.55, head.pixels(0.5), thickness=head.pixels(1.0))
    crease = upper[2:-1] + np.array([0.6 * side, -4.2]) - np.sin(np.pi * share[2:-1]) * (0, 1.2)
    canvas.lay(head.project(crease), base * rgb(0.50, 0.34, 0.30), 0.60, head.pixels(0.8), thickness=head.pixels(1.2))
    if female:
        roots = wing[len(wing) // 2 : -1 : 3]
        lengths = np.linspace(3.5, 5.0, len(roots))[:, None]
        tips = roots + lengths * (0.8 * side, -1.0)
        lashes = np.stack([head.project(roots), head.project(tips)], axis=1)
        canvas.lay(list(lashes), lash, 0.6, head.pixels(0.25), head.pixels(0.8))


def draw_brow(canvas: Canvas, head: Head, side: int, rng: np.random.Generator) -> None:
    """A soft tapered shape with single hairs upon it."""
    colour = mix(HAIR[head.p.hair_colour] * 0.72, rgb(52, 38, 32), 0.35)
    top, bottom = (smooth(edge, closed=False) for edge in head.brow(side))
    canvas.lay(head.project(np.vstack([top, bottom[::-1]])), colour, 0.72, head.pixels(1.0))
    roots = np.arange(0, len(top) - 2, 2)
    tips = np.minimum(roots + 4, len(top) - 1)
    start = bottom[roots] + (top[roots] - bottom[roots]) * rng.uniform(0.0, 0.4, (len(roots), 1))
    end = top[tips] + rng.uniform(-0.3, 0.8, (len(roots), 1)) * (0, 1)
    hairs = np.stack([head.project(start), head.project(end)], axis=1)
    canvas.lay(list(hairs), colour * 0.75, 0.5, head.pixels(0.3), head.pixels(0.9))
