"""Asymmetry of the shape: how far the face lies from its own mirror image, in the whole and by region."""

from __future__ import annotations

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
    return np.asarray(np.sqrt((_mirror_gaps(face) ** 2).sum(axis=1)))


@feature("symmetry", unit="unit sizes", low=0.0, high=0.008)
def eyes_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the eyes and their mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: right_eye, left_eye
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "eyes")


@feature("symmetry", unit="unit sizes", low=0.0, high=0.016)
def brows_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the brows and their mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: right_brow, left_brow
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "brows")


@feature("symmetry", unit="unit sizes", low=0.0, high=0.018)
def nose_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the nose and its mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: nose
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "nose")


@feature("symmetry", unit="unit sizes", low=0.0, high=0.014)
def lips_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the lips and their mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: lips_outer
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "lips")


@feature("symmetry", unit="unit sizes", low=0.0, high=0.045)
def jawline_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the jawline and its mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: jaw_band
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "jawline")


@feature("symmetry", unit="unit sizes", low=0.0, high=0.018)
def cheeks_shape_asymmetry(face: Landmarks) -> Values:
    """Distance between the cheeks and their mirror image within the whole shape.

    Formula: root mean square of | landmark - mirrored landmark | over the contours, after
        shape_asymmetry's fit
    Points: right_cheek_area, left_cheek_area
    Source: Mardia, Bookstein & Moreton 2000 (matching symmetry), in 2-D
    """
    return _regional_asymmetry(face, "cheeks")


@lru_cache(maxsize=1)
def _mirror_gaps(face: Landmarks) -> Values:
    """(n, M) how far each landmark lies from its mirrored partner once the mirror image is fitted."""
    shapes = unit_shapes(face.topology.of_mesh(face.face_frame))
    return np.abs(shapes - turned_onto(mirrored(shapes, face.topology.mesh_mirror), shapes))


def _regional_asymmetry(face: Landmarks, region: str) -> Values:
    indices = [i for contour in REGION_CONTOURS[region] for i in face.topology.contours[contour]]
    return np.asarray(np.sqrt((np.take(_mirror_gaps(face), indices, axis=1) ** 2).mean(axis=1)))
