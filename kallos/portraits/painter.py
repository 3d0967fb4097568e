"""From named parameters to a picture, painted from back to front."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kallos.portraits.anatomy import Head
from kallos.portraits.canvas import Canvas, Field, mix, moved, points, smooth
from kallos.portraits.eyes import draw_brow, draw_eye
from kallos.portraits.face import Skin, add_texture, draw_blush, draw_lips, draw_nostrils, model_face, model_nose
from kallos.portraits.hair import draw_hair_behind, draw_hair_front
from kallos.portraits.palette import BACKDROPS, CLOTHES, rgb
from kallos.portraits.parameters import PortraitParameters

_SIDES = (-1, 1)


def paint(parameters: PortraitParameters, size: int = 350) -> NDArray[np.uint8]:
    """The portrait as (size, size, 3) uint8 RGB; the same parameters give the same bytes."""
    rng = np.random.default_rng(parameters.grain)
    canvas, head = Canvas(size), Head(parameters, size)
    skin = Skin(head, canvas)
    model_face(skin)
    model_nose(skin)
    colours = skin.colours()
    add_texture(skin, colours, rng)

    _draw_backdrop(canvas, head)
    draw_hair_behind(canvas, head)
    _draw_neck(skin, colours)
    _draw_clothes(canvas, head)
    _draw_face(skin, colours)
    for side in _SIDES:
        draw_eye(canvas, head, side)
        draw_brow(canvas, head, side, rng)
    draw_hair_front(canvas, head, rng)
    _draw_ears(skin, colours)
    return canvas.picture()


def _draw_backdrop(canvas: Canvas, head: Head) -> None:
    colour = BACKDROPS[head.p.scene]
    # A smooth field needs few points; the canvas interpolates between them.
    places = np.linspace(-1, 1, 48, dtype=np.float32)
    squared = (places[None, :] - 0.5 * np.float32(head.p.light_direction)) ** 2 + (places[:, None] + 0.2) ** 2
    glow = np.exp(-squared / 0.9)
    edge, middle = colour * 0.72, mix(colour, rgb(255, 252, 246), 0.35)
    coarse = edge[:, None, None] * (1 - glow) + middle[:, None, None] * glow
    size = (canvas.size, canvas.size)
    canvas.pixels = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_CUBIC) for plane in coarse])


def _draw_neck(skin: Skin, colours: Field) -> None:
    head, canvas = skin.head, skin.canvas
    wide = 39 if head.p.is_female else 50
    half = [(wide + 3, 60), (wide, 110), (wide + 1, 138), (wide + 14, 160), (wide + 60, 176), (wide + 60, 230)]
    right = np.array(half, dtype=float)
    both = np.vstack([right, right[::-1] * (-1, 1)])
    shape = head.project(smooth(both, closed=False), surface=False)
    canvas.lay(shape, colours, 1.0, head.pixels(0.5))
    within = canvas.full_coverage(shape)
    jaw = np.vstack([head.outline_half(1)[4:], head.outline_half(-1)[4:][::-1]])
    cast = head.project(smooth(moved(jaw, 0, 14)), surface=False)
    canvas.lay(cast, skin.shadow(0.62), 0.75, head.pixels(6), within=within)


def _draw_clothes(canvas: Canvas, head: Head) -> None:
    colour = CLOTHES[(head.p.scene + head.p.grain) % len(CLOTHES)]
    female = head.p.is_female
    neck, shoulder, low = (50, 128, 196) if female else (54, 146, 172)
    half = [(0, low), (neck * 0.55, low - 6), (neck, 160), (shoulder * 0.75, 172), (shoulder, 192)]
    right = np.array([*half, (shoulder + 14, 250)], dtype=float)
    both = np.vstack([right[::-1] * (-1, 1), right[1:]])
    cloth = head.project(smooth(both, closed=False), surface=False)
    canvas.lay(cloth - (0, head.pixels(3)), colour * 0.3, 0.35, head.pixels(4))
    canvas.lay(cloth, colour, 1.0, head.pixels(0.5))
    within = canvas.full_coverage(cloth)
    collar = head.project(smooth(both[3:-3], closed=False), surface=False)
    canvas.lay(collar, colour * 0.7, 0.7, head.pixels(0.8), head.pixels(5), within)
    fold = points((0.9 * neck, 178), (0.8 * neck, 215), (0.95 * neck, 260))
    folds = [head.project(fold * (side, 1), surface=False) for side in _SIDES]
    canvas.lay(folds, colour * 0.6, 0.5, head.pixels(6), head.pixels(12), within)


def _draw_ears(skin: Skin, colours: Field) -> None:
    """Ears beside the face, before the hair: it is worn behind them."""
    head, canvas = skin.head, skin.canvas
    around = 1 - canvas.full_coverage(head.project(smooth(head.outline()), surface=False))
    ear = points((70, -14), (84, -22), (93, -17), (94, -4), (89, 14), (84, 28), (78, 35), (70, 30))
    fold = smooth(points((83, -14), (89, -12), (89, -2), (85, 10), (82, 20)), closed=False)
    for side in _SIDES:
        shape = head.project(smooth(ear * (side, 1)), surface=False)
        canvas.lay(shape, skin.shadow(0.8), 0.5, head.pixels(1.5), within=around)
        canvas.lay(shape, colours, 1.0, head.pixels(0.5), within=around)
        canvas.lay(shape, skin.shadow(0.45), 0.5, head.pixels(0.5), within=around)
        inner = head.project(fold * (side, 1), surface=False)
        canvas.lay(inner, skin.shadow(0.65), 0.6, head.pixels(1.2), head.pixels(2.5), within=around)


def _draw_face(skin: Skin, colours: Field) -> None:
    head, canvas = skin.head, skin.canvas
    shape = head.project(smooth(head.outline()), surface=False)
    canvas.lay(shape, skin.shadow(0.7), 0.5, head.pixels(1.6))
    canvas.lay(shape, colours, 1.0, head.pixels(0.4))
    within = canvas.full_coverage(shape)
    rim = np.vstack([shape, shape[:1]])
    canvas.lay(rim, skin.shadow(0.5), 0.5, head.pixels(2.5), head.pixels(3), within)
    draw_blush(skin, within)
    draw_nostrils(skin)
    draw_lips(skin)
