"""Where the parts of a face lie: named parameters to curves in head coordinates, then to pixels.

Head coordinates: origin midway between the eyes, x to the right of the picture, y down, z towards the viewer.
The half width of the face is 80: a wide face is one with a wide unit of x. `side` is +1 for the right of the
picture and -1 for the left.
"""

import numpy as np

from kallos.portraits.canvas import Points, moved, points
from kallos.portraits.parameters import PortraitParameters

_CENTRE = (0.5, 0.485)
_PICTURE = 350.0


class Head:
    """The geometry of one portrait on a picture of `size` pixels."""

    def __init__(self, parameters: PortraitParameters, size: int) -> None:
        self.p = parameters
        self.scale = size / _PICTURE
        self.origin = np.array(_CENTRE) * size
        yaw, pitch, roll = np.radians([parameters.yaw, -parameters.pitch, parameters.roll])
        self._cos_yaw, self._sin_yaw = float(np.cos(yaw)), float(np.sin(yaw))
        self._cos_pitch, self._sin_pitch = float(np.cos(pitch)), float(np.sin(pitch))
        self._roll = np.array([[np.cos(roll), np.sin(roll)], [-np.sin(roll), np.cos(roll)]])
        self._neck = self.origin + np.array([0, 130]) * self.scale
        self.chin_y = 122 + 44 * (parameters.chin_length - 1)
        self.subnasale_y = 48 + 44 * (parameters.nose_length - 1)
        # A longer nose pushes the mouth down by half as much.
        self.mouth_y = 73 + 0.5 * (self.subnasale_y - 48)

    def tilt(self, side: int) -> float:
        """Signed asymmetry at a side: the two sides get opposite halves."""
        return side * self.p.asymmetry

    def project(self, shape: Points, lift: float = 0.0, surface: bool = True) -> Points:
        """(n, 2) head coordinates to pixels; `lift` is how far above the ellipsoid of the head they stand.

        Without `surface` the points lie in the plane of the ears, as hair and outline do.
        """
        x, y = shape[:, 0] * self.p.cheek_width, shape[:, 1]
        z = np.full(len(shape), float(lift))
        if surface:
            z += 66 * np.sqrt(np.maximum(1 - (shape[:, 0] / 84) ** 2 - ((y - 5) / 135) ** 2, 0))
        turned = x * self._cos_yaw + z * self._sin_yaw
        deep = z * self._cos_yaw - x * self._sin_yaw
        raised = y * self._cos_pitch + deep * self._sin_pitch
        # The head rolls about the neck, so that shoulders and head stay joined.
        flat: Points = np.stack([turned, raised - 130], axis=1) @ self._roll
        flat *= self.scale
        flat += self._neck
        return flat

    def pixels(self, length: float) -> float:
        """A length in head units, in pixels."""
        return length * self.scale

    def outline_half(self, side: int) -> Points:
        """Control points of one half of the face from the forehead's middle down to beside the chin."""
        lean = 0.05 * self.tilt(side)
        jaw = self.p.jaw_width * (1 + lean)
        chin = self.chin_y + 2 * self.tilt(side)
        square = 17 if self.p.is_female else 23
        half = [
            (24, -102),
            (50, -88),
            (68, -58),
            (76.5, -25),
            (80, 6),
            (76.5, 34),
            (63.5 * jaw, 73),
            (43 * (0.3 + 0.7 * jaw), 0.45 * 73 + 0.55 * chin + 4),
            (square, chin - 2.5),
        ]
        return points(*half) * (side, 1)

    def outline(self) -> Points:
        """Closed control points of the face."""
        right, left = self.outline_half(1), self.outline_half(-1)
        return np.vstack([[(0, -105)], right, [(0, self.chin_y)], left[::-1]])

    def eye_centre(self, side: int) -> Points:
        """(2,) centre of an eye."""
        # Measured from the inner corner, about which the eye also turns.
        half, angle = self.eye_half(), np.radians(self.p.canthal_tilt - 3)
        return np.array([side * (17.5 + half), -1.2 * self.tilt(side) - half * np.sin(angle)])

    def eye_half(self) -> float:
        """Half width of an eye; the inner corners stay where they are, so wider eyes reach further out."""
        return 18.2 * self.p.eye_width

    def eye_lids(self, side: int) -> tuple[Points, Points]:
        """Control points of the upper and the lower lid, both from the inner to the outer corner."""
        half = self.eye_half()
        opening = 14.0 * self.p.eye_opening * (1 + 0.10 * self.tilt(side))
        up, down = 0.60 * opening, 0.40 * opening
        upper = [(-half, 1), (-0.62 * half, -0.62 * up), (-0.1 * half, -up), (0.52 * half, -0.74 * up), (half, 0)]
        lower = [(-half, 1), (-0.45 * half, 0.7 * down), (0.15 * half, down), (0.64 * half, 0.72 * down), (half, 0)]
        return self._place_eye(points(*upper), side), self._place_eye(points(*lower), side)

    def _place_eye(self, local: Points, side: int) -> Points:
        angle = np.radians(-self.p.canthal_tilt)
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        x, y = self.eye_centre(side)
        return moved((local @ turn.T) * (side, 1), x, y)

    def brow(self, side: int) -> tuple[Points, Points]:
        """Control points of the upper and lower edge of a brow, inner to outer end."""
        y = -27.5 * self.p.brow_height - 4.0 * self.tilt(side) + (0 if self.p.is_female else 2)
        thick = 6.2 if self.p.is_female else 8.2
        arch = 5.5 if self.p.is_female else 3.0
        spine = points((16.5, 0), (28, -2), (43, -arch), (55, -0.2 * arch), (65, 6.5))
        width = np.array([0.72, 1.0, 0.9, 0.55, 0.06])[:, None] * (0, thick / 2)
        # A brow follows its eye: as wide, and tilted half as much.
        spine[:, 0] += 0.9 * (self.eye_half() - 18.2) * (spine[:, 0] - 16.5) / 25
        spine[:, 1] -= np.tan(np.radians(0.55 * (self.p.canthal_tilt - 3))) * (spine[:, 0] - 26)
        place = points((0, y))
        return (spine - width + place) * (side, 1), (spine + width + place) * (side, 1)

    def nose_half(self) -> float:
        """Half width of the nose between the outer ends of its wings."""
        return 18.0 * self.p.nose_width

    def nose_x(self) -> float:
        """How far asymmetry moves the nose's tip aside."""
        return 2.5 * self.p.asymmetry

    def lips(self) -> tuple[Points, Points, Points]:
        """Control points, left to right, of the upper lip's top, the line between, the lower lip's bottom."""
        half, y, thick = 27.5 * self.p.mouth_width, self.mouth_y, self.p.lip_thickness
        top, bottom = 8.0 * thick, 10.5 * thick
        lean = np.array([0, -3.2 * self.p.asymmetry])
        across = np.array([-1, -0.55, -0.17, 0, 0.17, 0.55, 1])
        slope = -across[:, None] * lean
        rise = np.array([-3.2, -0.62 * top, -top, -0.80 * top, -top, -0.62 * top, -3.2])
        line = np.array([-3.2, 0.0, 0.5, 1.6, 0.5, 0.0, -3.2])
        drop = np.array([-3.2, 0.62 * bottom, 0.96 * bottom, bottom, 0.96 * bottom, 0.62 * bottom, -3.2])
        middle = np.array([0.5 * self.nose_x(), y])
        upper, between, lower = (np.stack([half * across, v], axis=1) + slope + middle for v in (rise, line, drop))
        return upper, between, lower
