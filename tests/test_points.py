"""Named landmarks, the mirror map, the face's own frame, crops and shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.alignment import align_face, procrustes_shape
from extractors.points import OPEN_CONTOURS, REGION_CONTOURS, Landmarks
from extractors.regions import REGIONS
from extractors.topologies.mediapipe_478 import TOPOLOGY
from tests.golden.rebuild import CANONICAL, distorted

MESH, MIRROR, CONTOURS, POINTS = TOPOLOGY.mesh, TOPOLOGY.mirror, TOPOLOGY.contours, TOPOLOGY.points

SHAPE = procrustes_shape(MESH[None])[0].reshape(2, 468)


def other_side(name):
    return name.replace("right_", "left_") if "right_" in name else name.replace("left_", "right_")


def test_the_mirror_map_is_exact():
    assert (MIRROR[MIRROR] == np.arange(478)).all()
    assert (CANONICAL[MIRROR] == CANONICAL * (-1, 1, 1)).all()
    midline = [10, 151, 9, 8, 168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 164, 0, *range(11, 19), 200, 199, 175, 152]
    assert set(np.flatnonzero(np.arange(478) == MIRROR)) == set(midline)


@pytest.mark.parametrize("name", POINTS)
def test_a_point_lies_on_its_side_and_mirrors_to_the_other(name):
    x = CANONICAL[list(POINTS[name]), 0]
    assert np.sign(x).tolist() == [{"right": -1, "left": 1}.get(name.split("_")[0], 0)] * len(x)
    assert [int(MIRROR[i]) for i in POINTS[name]] == list(POINTS[other_side(name)])


@pytest.mark.parametrize("name", CONTOURS)
def test_a_contour_mirrors_to_the_other_side_and_never_crosses_itself(name):
    contour = CONTOURS[name]
    assert len(set(contour)) == len(contour)
    assert {int(MIRROR[i]) for i in contour} == set(CONTOURS[other_side(name)])
    points = CANONICAL[list(contour), :2]
    edges = list(zip(points, points[1:] if name in OPEN_CONTOURS else np.roll(points, -1, axis=0), strict=False))
    for i, (a, b) in enumerate(edges):
        for c, d in edges[i + 2 :]:
            if not ((a == d).all() or (b == c).all()):
                assert not crosses(a, b, c, d), name


def crosses(a, b, c, d):
    def turn(p, q, r):
        return np.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    return turn(a, b, c) * turn(a, b, d) < 0 and turn(c, d, a) * turn(c, d, b) < 0


def test_no_name_means_two_things():
    assert not POINTS.keys() & CONTOURS.keys()


def test_every_region_has_closed_contours_to_shade():
    assert set(REGION_CONTOURS) == set(REGIONS)
    for names in REGION_CONTOURS.values():
        assert names
        assert set(names) <= CONTOURS.keys() - OPEN_CONTOURS


def test_points_and_contours_are_in_pixels():
    pixels = np.stack([distorted(0.2), distorted(-0.2)]).astype(np.float32)
    face = Landmarks(pixels)
    assert face["right_eye_outer"].tolist() == pixels[:, 33, :2].tolist()
    assert face["right_eye_centre"] == pytest.approx(pixels[:, [33, 133], :2].mean(axis=1))
    assert face.contour("face_oval").tolist() == pixels[:, list(CONTOURS["face_oval"]), :2].tolist()
    assert face.face_width == pytest.approx(np.linalg.norm(pixels[:, 234, :2] - pixels[:, 454, :2], axis=1))
    assert len(face) == 2


def test_measures_on_a_face_whose_answers_are_known():
    pixels = np.zeros((1, 478, 3))
    places = {234: (-50, 0), 454: (50, 0), 33: (-30, 0), 133: (-10, 0), 362: (10, 0), 263: (30, 0)}
    places |= {9: (0, -20), 152: (0, 80), 61: (-15, 45), 291: (15, 50), 4: (3, 20)}
    for index, place in places.items():
        pixels[0, index, :2] = place
    face = Landmarks(pixels)
    assert face.face_width[0] == pytest.approx(100)
    assert face.distance("right_eye_outer", "right_eye_inner")[0] == pytest.approx(0.2)
    assert face.rise("chin", "right_mouth_corner")[0] == pytest.approx(0.35)
    assert face.across("right_mouth_corner", "left_mouth_corner")[0] == pytest.approx(0.3)
    assert face.from_midline("nose_tip")[0] == pytest.approx(0.03)
    assert face.tilt("left_mouth_corner", "right_mouth_corner")[0] == pytest.approx(np.degrees(np.arctan2(5, 30)))
    assert face.angle("right_zygion", "glabella", "left_zygion")[0] == pytest.approx(2 * np.degrees(np.arctan(2.5)))


def test_a_circle_has_the_measures_of_a_circle():
    pixels = distorted(0.0)[None].copy()
    width = Landmarks(pixels).face_width[0]
    for name in ("face_oval", "right_brow_upper"):
        indices = [i for i in CONTOURS[name] if i not in (234, 454)]
        turn = np.pi if name in OPEN_CONTOURS else 2 * np.pi
        angles = np.linspace(0, turn, len(indices), endpoint=name in OPEN_CONTOURS)
        pixels[0, indices, 0], pixels[0, indices, 1] = 3 * width * np.cos(angles), 3 * width * np.sin(angles)
    face = Landmarks(pixels)
    assert face.face_width[0] == pytest.approx(width)
    assert face.arch("right_brow_upper")[0] == pytest.approx(0.5)
    assert face.curvature("right_brow_upper")[0] == pytest.approx([1 / 3] * 3, rel=0.05)


@given(st.floats(-0.4, 0.4), st.floats(-180, 180), st.floats(0.1, 10), st.floats(-500, 500))
def test_a_shape_ignores_place_size_and_tilt(strength, roll, scale, shift):
    upright = procrustes_shape(distorted(strength)[None])
    moved = procrustes_shape((distorted(strength, roll) * scale + shift)[None])
    assert moved == pytest.approx(upright, abs=1e-5)


def test_a_shape_is_centred_of_unit_size_and_never_mirrored():
    shapes = procrustes_shape(np.stack([CANONICAL, distorted(0.3, 20), CANONICAL * (-1, 1, 1)]))
    assert shapes.shape == (3, 936)
    assert shapes.dtype == np.float32
    assert np.linalg.norm(shapes, axis=1) == pytest.approx(1, abs=1e-5)
    assert shapes.reshape(3, 2, 468).mean(axis=2) == pytest.approx(0, abs=1e-6)
    assert shapes[0].reshape(2, 468)[1, 152] > 0 > shapes[0].reshape(2, 468)[1, 10], "y points down"
    assert np.linalg.norm(shapes[2] - shapes[0]) > 0.5


def test_the_rotation_of_a_shape_is_the_best_one():
    shape = procrustes_shape(distorted(0.4, 35)[None])[0].reshape(2, 468)
    best = np.linalg.norm(shape - SHAPE)
    for angle in np.radians([-3, -0.3, 0.3, 3]):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        assert np.linalg.norm(turn @ shape - SHAPE) > best


@pytest.mark.parametrize(("scale", "roll"), [(0.3, 0), (1, 0), (1, 33), (1.9, -20), (7, 15)])
def test_a_crop_shows_each_landmark_where_it_says(scale, roll):
    face = distorted(0.2, roll) * scale
    face[:, :2] += 40 * scale
    face = face.astype(np.float32)
    y, x = np.mgrid[: int(450 * scale), : int(450 * scale)] + 0.5
    for index in (33, 263, 152, 61):
        spot = 250 * np.exp(-((x - face[index, 0]) ** 2 + (y - face[index, 1]) ** 2) / (2 * (5 * scale) ** 2))
        crop = align_face(np.repeat(spot.astype(np.uint8)[:, :, None], 3, axis=2), face)
        weight = crop.image[:, :, 0].astype(float) ** 2
        rows, columns = np.mgrid[:256, :256] + 0.5
        centre = (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()
        assert crop.landmarks[index] == pytest.approx(centre, abs=0.35)


@pytest.mark.parametrize("roll", [0, 25, -170])
def test_a_crop_levels_the_eyes_and_leaves_a_margin(roll):
    face = distorted(0.0, roll).astype(np.float32)
    crop = align_face(np.zeros((400, 400, 3), dtype=np.uint8), face, size=200, margin=0.25)
    assert crop.image.shape == (200, 200, 3)
    assert crop.landmarks.shape == (478, 2)
    right, left = crop.landmarks[[33, 133]].mean(axis=0), crop.landmarks[[263, 362]].mean(axis=0)
    assert left[1] == pytest.approx(right[1], abs=1e-3)
    assert left[0] > right[0]
    low, high = crop.landmarks.min(axis=0), crop.landmarks.max(axis=0)
    assert (high - low).max() == pytest.approx(200 / 1.5, abs=1e-3)
    assert (low + high) / 2 == pytest.approx(100, abs=1e-3)


def test_landmarks_off_the_photo_are_not_in_the_crop():
    face = distorted(0.0).astype(np.float32)
    crop = align_face(np.zeros((260, 350, 3), dtype=np.uint8), face)
    assert crop.on_photo.tolist() == (face[:, 1] <= 260).tolist()
    assert np.array_equal(np.isnan(crop.visible).any(axis=1), ~crop.on_photo)
    assert 0 < crop.on_photo.sum() < 478
