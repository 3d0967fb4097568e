"""Skin: the light that falls on the head, its modelling, texture, nose and lips."""

import cv2
import numpy as np
from numpy.typing import NDArray

from kallos.portraits.anatomy import Head
from kallos.portraits.canvas import Canvas, Field, Points, mix, moved, points, smooth
from kallos.portraits.palette import rgb, skin_base, skin_ramp


class Skin:
    """The tone of the skin at each pixel, (size, size) float32: 0 deepest shadow, .5 even light, 1 highlight."""

    def __init__(self, head: Head, canvas: Canvas) -> None:
        self.head, self.canvas = head, canvas
        self.ramp = skin_ramp(head.p.skin_tone)
        self.tone = _light_on_head(head, canvas.size)

    def blob(self, x: float, y: float, rx: float, ry: float, amount: float, turn: float = 0.0) -> None:
        """Lighten (or darken) a soft spot of radii rx, ry about a point of the head."""
        centre = self.head.project(np.array([[x, y]]))[0]
        rx, ry = self.head.pixels(rx), self.head.pixels(ry)
        x0, y0 = np.maximum(np.floor(centre - 2.2 * max(rx, ry)), 0).astype(int)
        x1, y1 = np.minimum(np.ceil(centre + 2.2 * max(rx, ry)), self.canvas.size).astype(int)
        dx = np.arange(x0, x1)[None, :] - centre[0]
        dy = np.arange(y0, y1)[:, None] - centre[1]
        angle = np.radians(turn + self.head.p.roll)
        cos, sin = np.cos(angle), np.sin(angle)
        squared = dx * dx * ((cos / rx) ** 2 + (sin / ry) ** 2) + dy * dy * ((sin / rx) ** 2 + (cos / ry) ** 2)
        squared += dy * (dx * (2 * cos * sin * (rx**-2 - ry**-2)))
        self.tone[y0:y1, x0:x1] += amount * np.exp(-squared.astype(np.float32))

    def shape(self, shape: Points, amount: float, blur: float, thickness: float = 0.0) -> None:
        """Lighten (or darken) a polygon or line of head coordinates with soft edges."""
        rows, columns, mask = self.canvas.coverage(
            self.head.project(shape), self.head.pixels(blur), self.head.pixels(thickness)
        )
        self.tone[rows, columns] += np.float32(amount) * mask

    def colours(self) -> Field:
        """(3, size, size) skin colours."""
        index = cv2.convertScaleAbs(np.maximum(self.tone, 0), alpha=255)
        channels = [cv2.LUT(index, np.ascontiguousarray(channel)) for channel in self.ramp.T]
        return np.stack(channels).astype(np.float32, copy=False)

    def shadow(self, depth: float) -> NDArray[np.float32]:
        """(3,) the skin's colour in shadow; depth 0 is even light, 1 the deepest."""
        return self.ramp[round((1 - depth) * (len(self.ramp) // 2))]


def _light_on_head(head: Head, size: int) -> Field:
    """Lambert's law on an ellipsoid, with soft ambient light."""
    p = head.p
    # The light changes slowly: a coarse grid and interpolation are enough.
    steps = (np.linspace(0.5, 63.5, 64, dtype=np.float32) / 64) * size
    x, y = np.meshgrid((steps - head.origin[0]) / head.scale, (steps - head.origin[1]) / head.scale)
    roll = np.radians(p.roll)
    across = (x * np.cos(roll) + y * np.sin(roll)) / 100
    down = (y * np.cos(roll) - x * np.sin(roll) - 12) / 150
    facing = np.sqrt(np.clip(1 - across**2 - down**2, 0.02, None))
    light = np.array([0.75 * p.light_direction, -0.50, 0.80])
    light = light / np.linalg.norm(light)
    lambert = across * light[0] + down * light[1] + facing * light[2]
    tone = (0.5 + 0.34 * p.light_strength * (lambert - 0.78)).astype(np.float32)
    return np.asarray(cv2.resize(tone, (size, size), interpolation=cv2.INTER_LINEAR), np.float32)


def model_face(skin: Skin) -> None:
    """The soft light and shade that give a face its relief, without the nose."""
    head, p = skin.head, skin.head.p
    jaw = p.jaw_width
    skin.blob(0, -68, 42, 22, 0.07)
    for side in (-1, 1):
        lit = 1 + 0.5 * side * p.light_direction
        shade = 2 - lit
        eye = head.eye_centre(side)
        skin.blob(side * 20, -12, 9, 10, -0.10 * shade)
        skin.blob(eye[0], eye[1] - 11, 22, 8, -0.07)
        skin.blob(eye[0] + side * 4, eye[1] - 20 * p.brow_height, 17, 4, 0.07 * lit)
        skin.blob(eye[0] - side * 2, eye[1] + 13, 16, 5, -0.035)
        skin.blob(side * 47, 27, 17, 12, 0.10 * lit, -side * 25)
        skin.blob(side * 60, 56, 11, 26, -0.07 * shade, side * 22)
        skin.blob(side * 66 * jaw, 80, 13, 26, -0.07 * shade, side * 35)
        skin.blob(side * 74, -30, 9, 28, -0.09 * shade)
        skin.blob(side * 31, head.mouth_y - 8, 5, 15, -0.035, side * 22)
    skin.blob(0, head.mouth_y + 10 + 10 * p.lip_thickness, 15, 4.5, -0.15)
    skin.blob(0, head.chin_y - 15, 14, 9, 0.08)
    skin.blob(0, head.chin_y + 3, 26, 5, -0.12)
    skin.blob(0.5 * head.nose_x(), head.subnasale_y + 7, 3.2, 6, -0.05)


def model_nose(skin: Skin) -> None:
    """Light on the bridge and tip, shade at its sides, under it and around the wings."""
    head, p = skin.head, skin.head.p
    half, base, shift = head.nose_half(), head.subnasale_y, head.nose_x()
    bridge = 5.0 + 0.12 * half
    for side in (-1, 1):
        shade = 1 - 0.7 * side * p.light_direction
        edge = [(side * bridge * 1.5, -16), (side * bridge, 2), (side * bridge + 0.5 * shift, base - 24)]
        edge += [(side * 0.62 * half + shift, base - 13)]
        skin.shape(smooth(np.array(edge), closed=False), -0.17 * shade, 3.4, 7)
        skin.blob(side * 0.80 * half + shift, base - 7, 0.26 * half, 6, 0.05)
        wing = [(0.72, -15), (0.96, -9.5), (1.0, -4), (0.84, 0.5), (0.62, -0.5)]
        curve = np.array([(side * half * u + shift, base + v) for u, v in wing])
        skin.shape(smooth(curve, closed=False), -0.27 - 0.06 * shade, 0.9, 2.6)
        skin.blob(side * 1.14 * half + shift, base - 3, 4.5, 8, -0.07 * shade)
    ridge = points((0, -22), (0, 2), (0.5 * shift, base - 26), (shift, base - 13))
    skin.shape(smooth(ridge, closed=False), 0.13, 2.4, 4.5)
    skin.blob(shift, base - 11, 0.42 * half, 6.5, 0.12)
    skin.blob(shift - 1.5 + 3 * p.light_direction, base - 12, 2.8, 2.4, 0.12)
    skin.blob(shift, base + 1, 0.8 * half, 3.4, -0.20)


def draw_nostrils(skin: Skin) -> None:
    """Dark, soft openings under the tip."""
    head, canvas = skin.head, skin.canvas
    half, base, shift = head.nose_half(), head.subnasale_y, head.nose_x()
    dark = skin_base(head.p.skin_tone) * rgb(0.34, 0.20, 0.18)
    for side in (-1, 1):
        hole = [(0.18, -1.0), (0.36, -4.2), (0.62, -3.6), (0.70, -1.6), (0.46, -0.4)]
        points = np.array([(side * half * u + shift, base + v) for u, v in hole])
        canvas.lay(head.project(smooth(points), lift=10), dark, 0.85, head.pixels(0.9))


def add_texture(skin: Skin, colours: Field, rng: np.random.Generator) -> None:
    """Grain and reddish blotches, whose strength is the roughness of the skin, upon skin colours (in place)."""
    size = skin.canvas.size
    rough = skin.head.p.skin_roughness
    pores = cv2.GaussianBlur(rng.standard_normal((size, size), dtype=np.float32), (0, 0), skin.head.pixels(0.7))
    coarse = rng.standard_normal((size // 9, size // 9), dtype=np.float32)
    blotches = cv2.resize(coarse, (size, size), interpolation=cv2.INTER_CUBIC)
    pores = np.float32(0.008 + 0.070 * rough) * pores
    blotches = np.float32(0.002 + 0.022 * rough) * blotches
    colours[0] *= 1 + pores + 0.2 * blotches
    colours[1:] *= 1 + 1.15 * pores + blotches


def draw_blush(skin: Skin, within: Field) -> None:
    """Warmth on cheeks, nose and around the eyes."""
    head, canvas = skin.head, skin.canvas
    base = skin_base(head.p.skin_tone)
    rosy = base * rgb(0.98, 0.68, 0.64)
    strength = 0.42 if head.p.is_female else 0.26
    for side in (-1, 1):
        cheek = points((30, 26), (46, 18), (64, 14), (66, 28), (50, 40), (34, 40)) * (side, 1)
        canvas.lay(head.project(smooth(cheek)), rosy, strength, head.pixels(9), within=within)
    tip = moved(points((-9, -14), (9, -14), (11, -4), (-11, -4)), head.nose_x(), head.subnasale_y)
    canvas.lay(head.project(smooth(tip)), rosy, 0.25, head.pixels(5), within=within)


def draw_lips(skin: Skin) -> None:
    """Upper lip in shade, lower lip in light, the line between, a highlight."""
    head, canvas, p = skin.head, skin.canvas, skin.head.p
    base = skin_base(p.skin_tone)
    strength = 0.85 if p.is_female else 0.74
    lip = mix(base, base * rgb(0.86, 0.48, 0.46) + rgb(14, 4, 6), strength)
    upper, between, lower = (smooth(line, closed=False) for line in head.lips())
    top = head.project(np.vstack([upper, between[::-1]]), lift=6)
    bottom = head.project(np.vstack([between, lower[::-1]]), lift=6)
    soft = head.pixels(0.7)
    canvas.lay(top, lip * rgb(0.86, 0.80, 0.80), 0.95, soft)
    canvas.lay(bottom, lip, 0.95, soft)
    inside = canvas.full_coverage(bottom, soft)
    thick = 10.5 * p.lip_thickness
    y, x = head.mouth_y, 0.5 * head.nose_x() + 4 * p.light_direction
    rim = np.vstack([0.35 * between + 0.65 * lower, lower[::-1]])
    canvas.lay(head.project(rim, lift=6), lip * rgb(0.80, 0.70, 0.70), 0.5, head.pixels(1.6), within=inside)
    shine = points((-10, 0.34), (0, 0.27), (10, 0.34), (7, 0.60), (0, 0.66), (-7, 0.60)) * (p.mouth_width, thick)
    glow = mix(lip, rgb(255, 236, 226), 0.5)
    canvas.lay(head.project(smooth(moved(shine, x, y)), lift=6), glow, 0.55, head.pixels(1.7), within=inside)
    dark = base * rgb(0.42, 0.22, 0.22)
    canvas.lay(head.project(between, lift=6), dark, 0.85, head.pixels(0.5), thickness=head.pixels(1.6))
    for corner in (between[:1], between[-1:]):
        spot = smooth(corner + points((-2.2, 0), (0, -1.6), (2.2, 0), (0, 1.6)))
        canvas.lay(head.project(spot, lift=6), dark, 0.5, head.pixels(1.2))
