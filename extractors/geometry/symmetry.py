"""Asymmetry of the shape: how far the face lies from its own mirror image, in the whole and by region."""

from functools import lru_cache

import numpy as np

from extractors.alignment import mirrored, turned_onto, unit_shapes
from extractors.catalogue import feature
from extractors.points import REGION_CONTOURS, Landmarks, Values


@feature("symmetry", unit="unit sizes", low=0.0, high=0.45)
def shape_asymmetry(face: Landmarks) -> Values:
    """Procrustes distance between the face's shape and its mirror image.

    Formula: | shape - mirrored shape turned onto it |, both centred and of unit size
    Points: face_oval, midline
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    distance: Values = np.sqrt((_mirror_gaps(face) ** 2).sum(axis=1))
    return distance


def _define(region: str, high: float, pronoun: str) -> None:
    """The asymmetry of one region as a feature."""
    contours = REGION_CONTOURS[region]

    def measure(face: Landmarks) -> Values:
        indices = [i for contour in contours for i in face.topology.contours[contour]]
        distance: Values = np.sqrt((np.take(_mirror_gaps(face), indices, axis=1) ** 2).mean(axis=1))
        return distance

    measure.__name__ = f"{region}_shape_asymmetry"
    measure.__doc__ = f"""Distance between the {region} and {pronoun} mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after shape_asymmetry's fit
    Points: {", ".join(contours)}
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    feature("symmetry", unit="unit sizes", low=0.0, high=high)(measure)


_define("eyes", 0.008, "their")
_define("brows", 0.016, "their")
_define("nose", 0.018, "its")
_define("lips", 0.014, "their")
_define("jawline", 0.045, "its")
_define("cheeks", 0.018, "their")


@lru_cache(maxsize=1)
def _mirror_gaps(face: Landmarks) -> Values:
    """(n, M) how far each landmark lies from its mirrored partner once the mirror image is fitted."""
    shapes = unit_shapes(face.topology.of_mesh(face.face_frame))
    return np.abs(shapes - turned_onto(mirrored(shapes, face.topology.mesh_mirror), shapes))
