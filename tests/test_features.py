"""Contracts that every feature of the catalogue keeps; a new feature is tested by being registered."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from extractors.catalogue import GEOMETRIC, SKIN, FeatureDefinition, feature
from extractors.definitions import catalogue, definitions
from extractors.geometry.compute import compute_geometry
from extractors.geometry.irises import IRIS_MM
from extractors.points import Landmarks
from extractors.regions import FEATURE_REGIONS, PROPORTION
from extractors.topologies.mediapipe_478 import TOPOLOGY
from tests.golden.rebuild import (
    CANONICAL,
    FILE,
    IRIS_RADIUS,
    Golden,
    distorted,
    measured,
    read,
    rebuild,
    reference_faces,
    silently_changed,
)

MIRROR, CONTOURS, POINTS = TOPOLOGY.mirror, TOPOLOGY.contours, TOPOLOGY.points

DEFINITIONS = definitions()
geometric = pytest.mark.parametrize("name", GEOMETRIC)

strengths = st.floats(-0.4, 0.4)
angles = st.floats(-180, 180)


def value_of(name, faces):
    return GEOMETRIC[name].measure(Landmarks(faces))


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.name)
def test_a_definition_is_complete(definition: FeatureDefinition):
    assert definition.summary[0].isupper()
    assert definition.summary.endswith(".")
    assert "\n" not in definition.summary
    assert definition.region in FEATURE_REGIONS
    assert definition.unit
    assert definition.formula
    assert definition.source
    assert definition.low < definition.high
    assert set(definition.points) <= POINTS.keys() | CONTOURS.keys()
    assert set(definition.invariant) <= {"scale", "translation", "roll"}
    assert "{side}" not in definition.formula
    assert definition.version >= 1
    assert definition.name in {"geometry": GEOMETRIC, "skin": SKIN}[definition.kind]


def test_there_are_enough_features_and_some_in_every_region():
    assert len(GEOMETRIC) >= 75
    assert 20 <= len(SKIN) <= 30
    for region in FEATURE_REGIONS:
        assert sum(d.region == region for d in DEFINITIONS) >= 8


def test_what_lies_off_the_midline_is_symmetry_and_what_compares_sizes_is_proportion():
    symmetric = {d.name for d in DEFINITIONS if d.region == "symmetry"}
    assert symmetric == {"eye_mouth_tilt", "head_turn", *(n for n in GEOMETRIC if n.endswith("shape_asymmetry"))}
    proportions = [d.name for d in DEFINITIONS if d.region == PROPORTION]
    assert len(proportions) == 18
    assert not set(proportions) & set(MEASURES_OF_ASYMMETRY)


def test_names_are_unique_and_can_be_columns():
    names = [d.name for d in DEFINITIONS]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)


class RecordingLandmarks(Landmarks):
    """Notes which landmarks a feature looks at."""

    def __init__(self, pixels):
        self.used = set()
        super().__init__(pixels)

    def _place(self, name):
        self.used |= set(POINTS[name])
        return super()._place(name)

    def _outline(self, contour):
        self.used |= set(CONTOURS[contour])
        return super()._outline(contour)


@geometric
def test_the_docstring_names_the_points_that_are_used(name):
    face = RecordingLandmarks(reference_faces())
    GEOMETRIC[name].measure(face)
    named = {i for p in GEOMETRIC[name].definition.points for i in (POINTS | CONTOURS)[p]}
    # asymmetry of the shape looks at the whole shape
    assert face.used == (set() if name.endswith("shape_asymmetry") else named)


@geometric
def test_it_is_finite_and_plausible_on_the_reference_faces(name):
    values = value_of(name, reference_faces())
    definition = GEOMETRIC[name].definition
    assert values.shape == (3,)
    assert values.dtype == np.float64
    assert ((values >= definition.low - 1e-12) & (values <= definition.high)).all(), values


@geometric
def test_it_tells_faces_apart(name):
    assert np.ptp(value_of(name, reference_faces())) > 1e-4


@given(strength=strengths, roll=angles, scale=st.floats(0.1, 10), shift=st.tuples(*[st.floats(-500, 500)] * 3))
def test_scale_translation_and_roll_do_not_count_where_declared(strength, roll, scale, shift):
    changes = {
        "roll": distorted(strength, roll),
        "scale": distorted(strength) * scale,
        "translation": distorted(strength) + shift,
    }
    names, before = compute_geometry(distorted(strength)[None])
    for change, face in changes.items():
        _, after = compute_geometry(face[None])
        for name, old, new in zip(names, before[0], after[0], strict=True):
            if change in GEOMETRIC[name].definition.invariant:
                assert new == pytest.approx(old, rel=1e-6, abs=1e-6), (name, change)


def mirrored_name(name):
    if name.startswith("right_"):
        return name.replace("right_", "left_", 1)
    return name.replace("left_", "right_", 1) if name.startswith("left_") else name


@given(strength=strengths, roll=st.floats(-40, 40))
def test_a_mirrored_face_swaps_right_and_left_and_nothing_else(strength, roll):
    face = distorted(strength, roll)
    names, values = compute_geometry(face[None])
    _, mirrored = compute_geometry((face * (-1, 1, 1))[None, MIRROR])
    expected = dict(zip(names, values[0], strict=True))
    for name, value in zip(names, mirrored[0], strict=True):
        assert value == pytest.approx(expected[mirrored_name(name)], rel=1e-6, abs=1e-6), name


MEASURES_OF_ASYMMETRY = [n for n in GEOMETRIC if n.endswith("_asymmetry")]
MEASURES_OF_ASYMMETRY += ["nose_deviation", "chin_deviation", "head_turn", "eye_mouth_tilt"]


@pytest.mark.parametrize("name", MEASURES_OF_ASYMMETRY)
def test_the_canonical_face_is_symmetric(name):
    assert value_of(name, CANONICAL[None])[0] == pytest.approx(0, abs=1e-6)


def test_many_faces_give_the_values_of_each_alone_to_the_bit():
    faces = np.stack([distorted(s, 100 * s) for s in np.linspace(-0.4, 0.4, 37)]).astype(np.float32)
    _, together = compute_geometry(faces)
    alone = np.concatenate([compute_geometry(face[None])[1] for face in faces])
    assert (together == alone).all()


def test_known_formulas_on_the_canonical_face():
    """Written out once more with the indices of the papers and of the notes."""

    def d(a, b):
        return float(np.hypot(*(CANONICAL[a] - CANONICAL[b])[:2]))

    expected = {
        "right_eye_aspect_ratio": (d(160, 144) + d(158, 153)) / (2 * d(33, 133)),
        "left_eye_aspect_ratio": (d(385, 380) + d(387, 373)) / (2 * d(362, 263)),
        "intercanthal_distance": d(133, 362) / d(234, 454),
        "jaw_width": d(58, 288) / d(234, 454),
        "mouth_to_nose_width": d(61, 291) / d(129, 358),
        "lip_ratio": d(0, 13) / d(14, 17),
        "chin_to_philtrum": d(17, 152) / d(2, 0),
        "lower_third": d(2, 152) / (d(10, 9) + d(9, 2) + d(2, 152)),
        "facial_width_to_height": d(234, 454) / (CANONICAL[0, 1] - CANONICAL[105, 1]),
    }
    for name, value in expected.items():
        assert value_of(name, CANONICAL[None])[0] == pytest.approx(value), name
    assert value_of("right_jaw_angle", CANONICAL[None])[0] == pytest.approx(140, abs=5)


def test_millimetres_are_those_of_a_face_whose_irises_are_as_wide_as_most():
    """The canonical mesh is in centimetres; the irises that were put into it have 11.7 mm."""
    assert pytest.approx(IRIS_MM) == 20 * IRIS_RADIUS
    expected = {
        "pupil_distance_mm": np.linalg.norm((CANONICAL[468] - CANONICAL[473])[:2]),
        "face_width_mm": np.linalg.norm((CANONICAL[234] - CANONICAL[454])[:2]),
    }
    for name, centimetres in expected.items():
        for pixels in (1.0, 14.0):
            assert value_of(name, pixels * CANONICAL[None])[0] == pytest.approx(10 * centimetres), name


@pytest.mark.parametrize("side", ["right", "left"])
def test_a_pupil_that_moves_is_followed(side):
    face = CANONICAL.copy()
    iris = [i for name, indices in POINTS.items() if name.startswith(f"{side}_iris") for i in indices]
    face[iris] += (0.2, -0.1, 0)
    width = np.linalg.norm((CANONICAL[33] - CANONICAL[133])[:2])
    assert value_of(f"{side}_gaze_sideways", face[None])[0] == pytest.approx(0.2 / width)
    assert value_of(f"{side}_gaze_height", face[None])[0] == pytest.approx(0.1 / width)
    for name in ("gaze_sideways", "gaze_height"):
        assert value_of(f"{name}_asymmetry", face[None])[0] > 0.02
    nearer, farther = ("inner", "outer") if side == "right" else ("outer", "inner")
    for corner, grows in ((nearer, False), (farther, True)):
        name = f"{side}_{corner}_canthus_to_pupil"
        assert (value_of(name, face[None])[0] > value_of(name, CANONICAL[None])[0]) == grows


def test_a_lid_that_falls_hides_the_iris():
    face = CANONICAL.copy()
    face[POINTS["right_upper_lid"][0], 1] += 0.3
    before, after = (value_of("right_visible_iris", f[None])[0] for f in (CANONICAL, face))
    assert before - after == pytest.approx(0.3 / (2 * IRIS_RADIUS))


def test_golden_values_and_versions_are_kept_and_complete():
    golden, now = read(FILE), measured()
    assert {name: entry.version for name, entry in golden.items()} == {d.name: d.version for d in catalogue()}
    assert silently_changed(golden, now) == []


def test_a_changed_formula_is_noticed_in_every_feature():
    golden = read(FILE)
    for name, entry in golden.items():
        values = [value * 1.001 + 1e-5 for value in entry.values]
        assert silently_changed(golden, golden | {name: replace(entry, values=values)}) == [name]


def golden_file(path, **features):
    path.write_text(json.dumps({name: asdict(entry) for name, entry in features.items()}), encoding="utf-8")
    return path


@pytest.mark.parametrize("now", [Golden(2, [1.0, 2.1]), Golden(1, [1.0, 2.0])], ids=["other values", "lower version"])
def test_golden_values_are_not_rebuilt_after_a_silent_change(tmp_path, now):
    file = golden_file(tmp_path / "f.json", nose=Golden(2, [1.0, 2.0]), chin=Golden(1, [0.5, 0.5]))
    before = file.read_bytes()
    with pytest.raises(SystemExit) as refusal:
        rebuild(file, {"nose": now, "chin": Golden(2, [0.6, 0.6])})
    assert refusal.value.code == (
        "Nothing was rebuilt, nose changed without a raised version: "
        "raise `version` in the decorator, or take the change of formula back."
    )
    assert file.read_bytes() == before


def test_golden_values_of_new_features_and_raised_versions_are_rebuilt_the_others_stay_to_the_last_digit(tmp_path):
    file = golden_file(tmp_path / "f.json", nose=Golden(1, [1.0]), chin=Golden(1, [0.5]), gone=Golden(1, [0.0]))
    rebuild(file, {"brow": Golden(1, [3.0]), "nose": Golden(2, [1.1]), "chin": Golden(1, [0.5 + 1e-9])})
    assert read(file) == {"brow": Golden(1, [3.0]), "nose": Golden(2, [1.1]), "chin": Golden(1, [0.5])}


def whole_docstring(face):
    """A feature.

    Formula: 1
    Points: chin
    Source: nowhere
    """


@pytest.mark.parametrize("section", ["Formula", "Points", "Source"])
def test_a_docstring_without_a_section_is_refused(section):
    def incomplete(face, side=""):
        pass

    incomplete.__doc__ = "\n".join(line for line in whole_docstring.__doc__.splitlines() if f"{section}:" not in line)
    for decorator in (
        feature("lips", unit="ratio", low=0, high=1),
        feature("lips", unit="ratio", low=0, high=1, asymmetry=1),
    ):
        with pytest.raises(ValueError, match=f"incomplete lacks {section}"):
            decorator(incomplete)


def test_a_pair_says_which_side_and_its_asymmetry_says_so():
    summaries = {d.name: d.summary for d in DEFINITIONS}
    of_pair = [summaries[n] for n in ("right_cheekbone_drop", "left_cheekbone_drop", "cheekbone_drop_asymmetry")]
    drop = "how far the cheekbone lies under the middle of the eye"
    assert of_pair == [
        f"On the right: {drop}; high cheekbones have less.",
        f"On the left: {drop}; high cheekbones have less.",
        f"Difference between right and left: {drop}.",
    ]


def test_a_name_or_region_that_cannot_be_is_refused():
    def mouth_width(face):
        pass

    mouth_width.__doc__ = whole_docstring.__doc__
    with pytest.raises(ValueError, match="mouth_width is registered twice"):
        feature("lips", unit="ratio", low=0, high=1)(mouth_width)
    with pytest.raises(ValueError, match="no region 'ears'"):
        feature("ears", unit="ratio", low=0, high=1)(whole_docstring)
    assert "whole_docstring" not in GEOMETRIC
