"""Features of pixels: exact on painted crops, in the right direction on drawn portraits."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from extractors.alignment import align_face
from extractors.catalogue import SKIN
from extractors.landmarker import Landmarker
from extractors.skin import compute_skin
from extractors.topologies.mediapipe_478 import TOPOLOGY
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from tests.golden.rebuild import distorted, striped_photo
from tests.test_features import mirrored_name

MIRROR, CONTOURS = TOPOLOGY.mirror, TOPOLOGY.contours

GREY = np.full((350, 350, 3), 119, dtype=np.uint8)  # L* 50


def measured(image, landmarks):
    crop = align_face(image, np.asarray(landmarks, dtype=np.float32))
    return dict(zip(SKIN, compute_skin(crop.image, crop.visible), strict=True))


def painted(colours, photo=GREY):
    """A photo on which contours of the canonical face are filled with a colour."""
    photo = photo.copy()
    for contour, colour in colours.items():
        cv2.fillPoly(photo, [np.round(distorted(0.0)[list(CONTOURS[contour]), :2]).astype(np.int32)], colour)
    return photo


def test_an_even_grey_face_has_no_texture_colour_or_contrast():
    values = measured(GREY, distorted(0.0))
    assert values.pop("skin_lightness") == pytest.approx(50, abs=0.3)
    for name, value in values.items():
        assert value == pytest.approx(0, abs=0.01), name


def test_colour_of_the_skin_is_that_of_cielab():
    values = measured(np.full((350, 350, 3), (224, 172, 138), dtype=np.uint8), distorted(0.0))
    assert values["skin_lightness"] == pytest.approx(74.3, abs=0.5)
    assert values["skin_redness"] == pytest.approx(14.6, abs=0.6)
    assert values["skin_yellowness"] == pytest.approx(24.8, abs=0.6)


@pytest.mark.parametrize(
    ("feature", "contours"),
    [
        ("lip_contrast", ["lips_outer"]),
        ("brow_contrast", ["right_brow", "left_brow"]),
        ("eye_contrast", ["right_eye", "left_eye"]),
    ],
)
def test_contrast_is_that_of_the_painted_part_alone(feature, contours):
    values = measured(painted(dict.fromkeys(contours, (48, 48, 48))), distorted(0.0))
    full = (50 - 19.9) / (50 + 19.9)  # L* of grey 48
    # the smaller the part, the more its resampled edge counts
    assert 0.75 * full < values[feature] <= full + 0.01
    others = {"lip_contrast", "brow_contrast", "eye_contrast"} - {feature}
    assert all(values[other] == pytest.approx(0, abs=0.02) for other in others)


def test_red_lips_and_dark_rings_are_seen_where_they_are():
    values = measured(painted({"lips_outer": (200, 60, 70), "right_under_eye": (90, 90, 90)}), distorted(0.0))
    assert values["lip_redness"] > 40
    assert values["right_under_eye_darkness"] == pytest.approx(50 - 38.4, abs=2.5)
    assert values["left_under_eye_darkness"] == pytest.approx(0, abs=0.2)
    assert values["under_eye_darkness_asymmetry"] == pytest.approx(values["right_under_eye_darkness"], abs=0.2)


@pytest.mark.parametrize("patch", ["cheek", "forehead", "chin", "nose"])
def test_texture_is_measured_in_its_own_patch(patch):
    contour = {"cheek": "right_cheek_area", "chin": "chin_area", "nose": "nose_ridge"}.get(patch, patch)
    column = {"cheek": "right_cheek"}.get(patch, patch)
    noise = np.random.default_rng(0).integers(-30, 30, (350, 350, 1)) + GREY
    mask = painted({contour: (0, 0, 0)}) == 0
    values = measured(np.where(mask, noise, GREY).astype(np.uint8), distorted(0.0))
    assert values[f"{column}_sharpness"] > 1.5
    assert values[f"{column}_unevenness"] > 3
    for other in {"right_cheek", "left_cheek", "forehead", "chin", "nose"} - {column}:
        assert values[f"{other}_sharpness"] < 0.3, other
        assert values[f"{other}_unevenness"] < 0.5, other


def test_blur_takes_sharpness_and_texture_away():
    noise = (np.random.default_rng(0).integers(-30, 30, (350, 350, 1)) + GREY).astype(np.uint8)
    sharp, blurred = (measured(image, distorted(0.0)) for image in (noise, cv2.GaussianBlur(noise, (0, 0), 2)))
    for name in SKIN:
        if name.endswith("_sharpness"):
            assert blurred[name] < sharp[name] - 0.5, name
    assert blurred["skin_texture_entropy"] < sharp["skin_texture_entropy"] - 1


def test_a_patch_off_the_photo_is_nan_and_the_others_are_not():
    below = int(distorted(0.0)[152, 1]) - 10
    values = measured(striped_photo()[:below], distorted(0.0))
    whole = measured(striped_photo(), distorted(0.0))
    lost = {name for name, value in values.items() if np.isnan(value)}
    assert {"chin_sharpness", "chin_unevenness"} == lost
    assert values["right_cheek_sharpness"] == pytest.approx(whole["right_cheek_sharpness"])


def test_a_face_wholly_off_the_photo_is_nan_throughout():
    assert np.isnan(list(measured(GREY, distorted(0.0) + 1000).values())).all()


def test_a_mirrored_photo_swaps_right_and_left():
    face = distorted(0.2).astype(np.float32)
    values = measured(striped_photo(), face)
    mirrored = measured(striped_photo()[:, ::-1].copy(), (face * (-1, 1, 1) + (350, 0, 0))[MIRROR])
    for name, value in mirrored.items():
        assert value == pytest.approx(values[mirrored_name(name)], rel=0.05, abs=0.25), name


def test_roll_and_translation_count_for_nothing_but_resampling():
    size = 500
    photo = cv2.GaussianBlur(striped_photo(size), (0, 0), 2)
    face = distorted(0.1) + np.array((75, 75, 0))
    before = measured(photo, face)
    for roll in (-25, 20):
        matrix = cv2.getRotationMatrix2D((size / 2, size / 2), roll, 1)
        matrix[:, 2] += (6, -4)
        turned = cv2.warpAffine(photo, matrix, (size, size), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
        moved = face.copy()
        moved[:, :2] = face[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        for name, value in measured(turned, moved).items():
            assert value == pytest.approx(before[name], rel=0.05, abs=0.25), name


@pytest.fixture(scope="module")
def portraits():
    """(name of a change) -> mean features of portraits that differ in it alone."""
    changes = {"plain": {}, "rough": {"skin_roughness": 1.0}, "smooth": {"skin_roughness": 0.0}}
    changes |= {"fair": {"skin_tone": 0.1}, "deep": {"skin_tone": 0.7}}
    with Landmarker() as mesh:
        rows = {}
        for change, values in changes.items():
            images = [paint(replace(draw_parameters(seed), **values)) for seed in range(4)]
            rows[change] = [measured(image, mesh.find(image).landmarks) for image in images]
    return {change: {name: np.mean([row[name] for row in found]) for name in SKIN} for change, found in rows.items()}


def test_drawn_portraits_are_measurable_and_plausible(portraits):
    for name, value in portraits["plain"].items():
        assert SKIN[name].definition.low <= value <= SKIN[name].definition.high, name


def test_drawn_roughness_and_tone_are_measured(portraits):
    rough, smooth = portraits["rough"], portraits["smooth"]
    for name in ("right_cheek_sharpness", "left_cheek_sharpness", "forehead_sharpness", "skin_texture_entropy"):
        assert rough[name] > smooth[name], name
    assert portraits["fair"]["skin_lightness"] > portraits["deep"]["skin_lightness"] + 10
