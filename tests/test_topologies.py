"""Sets of landmarks: what every one of them keeps, and one more that is used by being registered."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ensemble.novelty import pose
from extractors import region_windows
from extractors.alignment import align_face, procrustes_shape
from extractors.catalogue import GEOMETRIC
from extractors.definitions import definitions
from extractors.geometry.compute import compute_geometry
from extractors.landmark_finder import finder_of
from extractors.landmarker import Landmarker
from extractors.outputs import Field, Output
from extractors.points import REGION_CONTOURS, SKIN_PATCHES, Landmarks
from extractors.skin import compute_skin
from extractors.topologies import registry
from extractors.topologies.facemesh_468 import TOPOLOGY as FACEMESH
from extractors.topologies.mediapipe_478 import TOPOLOGY as LANDMARKS
from extractors.topologies.registry import TOPOLOGIES, topology_of
from extractors.topology import both_sides
from extractors.values import outputs
from featurestore import normalization_statistics
from featurestore.ingest.dataset import write
from featurestore.ingest.demo import read_demo
from featurestore.opening import open_store
from featurestore.planning import plan
from featurestore.store import Store
from featurestore.versions import activate, register
from kallos.engines import local, workers
from kallos.engines.batch import Batch
from kallos.engines.extraction import Extracted, extract
from tests.golden.rebuild import distorted, striped_photo
from tests.synthetic_store import PROTOCOL, make_store


class LandmarkerAndEars(Landmarker):
    """Stands where another landmarker would: all that this one finds, and points that are no part of the mesh."""

    VERSION = 7

    def faces(self, image):
        return [with_ears(face) for face in super().faces(image)]


def with_ears(face):
    """Landmarks (P, 3), and two more at the sides of the face."""
    return np.vstack([face, face[[234, 454]]])


_MIRROR = np.append(LANDMARKS.mirror, [LANDMARKS.number + 1, LANDMARKS.number])

ANOTHER = replace(
    LANDMARKS,
    name="with-ears",
    number=LANDMARKS.number + 2,
    mirror=_MIRROR,
    points={**LANDMARKS.points, **both_sides({"ear": (LANDMARKS.number,)}, _MIRROR)},
    finder="tests.test_topologies:LandmarkerAndEars",
)


class FaceMesh(Landmarker):
    """Stands where FaceMesh was, whose landmarks were the first of today's."""

    @staticmethod
    def parameters():
        return {"mediapipe": "0.10.21", "max_faces": 4}

    def faces(self, image):
        return [face[: FACEMESH.number] for face in super().faces(image)]


EARLIER = replace(FACEMESH, finder="tests.test_topologies:FaceMesh")


@pytest.fixture
def measure_with(monkeypatch):
    """Puts a set in the place of the one that photos are measured with, and leaves the features that it can have."""
    everything = dict(GEOMETRIC)

    def put(first):
        others = (topology for topology in TOPOLOGIES if topology.number != first.number)
        monkeypatch.setattr(registry, "TOPOLOGIES", (first, *others))
        named = first.points.keys() | first.contours.keys()
        GEOMETRIC.clear()
        GEOMETRIC.update((name, f) for name, f in everything.items() if named >= set(f.definition.points))
        workers._finder.cache_clear()

    with patch.dict(GEOMETRIC):
        yield put
    workers._finder.cache_clear()


@pytest.fixture
def registered(measure_with):
    measure_with(ANOTHER)
    return ANOTHER


found = pytest.mark.parametrize("topology", [LANDMARKS, ANOTHER], ids=lambda t: t.label)
every = pytest.mark.parametrize("topology", [*TOPOLOGIES, ANOTHER], ids=lambda t: t.label)


def test_labels_and_numbers_are_of_one_set_each():
    assert len({topology.label for topology in TOPOLOGIES}) == len(TOPOLOGIES)
    assert len({topology.number for topology in TOPOLOGIES}) == len(TOPOLOGIES)


@every
def test_a_mirror_map_is_its_own_inverse_and_keeps_the_mesh(topology):
    assert (topology.mirror[topology.mirror] == np.arange(topology.number)).all()
    assert (topology.mesh[topology.mesh_mirror] == topology.mesh * (-1, 1, 1)).all()


@found
def test_a_set_names_all_that_is_measured(topology):
    named = {point for definition in definitions() for point in definition.points}
    assert topology.points.keys() | topology.contours.keys() >= named


@every
def test_a_set_names_all_that_is_cut_and_drawn(topology):
    boxed = {contour for _, contour in region_windows.BOXED}
    drawn = {contour for contours in REGION_CONTOURS.values() for contour in contours}
    assert topology.contours.keys() >= boxed | drawn | set(SKIN_PATCHES)
    assert {i for indices in (topology.points | topology.contours).values() for i in indices} < set(
        range(topology.number)
    )


@found
def test_a_finder_says_what_its_values_depend_on(topology):
    finder = finder_of(topology)
    assert finder.VERSION >= 1
    json.dumps(dict(finder.parameters()))


def test_landmarks_are_known_by_their_number():
    face = distorted(0.2)
    assert topology_of(face) is topology_of(face[None, :, :2]) is LANDMARKS
    assert topology_of(face[:468]) is FACEMESH
    with pytest.raises(ValueError, match=r"no set of landmarks has 17: mediapipe-478@1, facemesh-468@1"):
        topology_of(face[:17])


def test_nothing_finds_the_landmarks_of_an_earlier_set():
    with pytest.raises(ValueError, match="facemesh-468@1"):
        finder_of(FACEMESH)


def test_the_recipe_of_landmarks_names_their_set():
    assert json.loads(outputs([])[0].recipe)["parameters"]["topology"] == LANDMARKS.label


def test_points_beyond_the_mesh_change_nothing_of_what_is_measured_on_it(registered):
    faces = np.stack([distorted(0.25, 7), distorted(-0.35, -12)])
    more = np.stack([with_ears(face) for face in faces])
    assert Landmarks(more).topology is registered
    assert np.array_equal(compute_geometry(more)[1], compute_geometry(faces)[1])
    assert np.array_equal(procrustes_shape(more), procrustes_shape(faces))
    assert np.array_equal(pose(more.astype(np.float32)), pose(faces.astype(np.float32)))
    crops = [align_face(striped_photo(), face[0].astype(np.float32)) for face in (faces, more)]
    assert np.array_equal(*(crop.image for crop in crops))
    assert np.array_equal(*(compute_skin(crop.image, crop.visible) for crop in crops), equal_nan=True)
    assert np.array_equal(*(region_windows.cells(crop.landmarks, 256) for crop in crops))
    assert Landmarks(more)["left_ear"].shape == (2, 2)


def test_a_registered_set_makes_new_versions_of_all_that_is_computed_from_it(registered, monkeypatch):
    another = outputs([])
    monkeypatch.setattr(registry, "TOPOLOGIES", TOPOLOGIES)
    today = outputs([])
    assert not {output.version for output in another} & {output.version for output in today}
    assert json.loads(another[0].recipe)["parameters"]["topology"] == "with-ears@1"
    assert another[0].code_version == LandmarkerAndEars.VERSION
    assert [field.dtype for field in another[0].fields] == ["float32[480]"] * 3


def look_in_this_process(store, wanted, encoders, tasks, *, stopped_after=None):
    """An engine without workers, which would not see what a test registered."""
    batch = Batch(wanted)
    workers._set_state({})
    for number, task in enumerate(tasks):
        if number == stopped_after:
            local._write(store, batch)
            raise KeyboardInterrupt
        batch.add(workers._extract(task))
        yield 1, 0
    local._write(store, batch)


@pytest.mark.parametrize(("before", "after"), [(LANDMARKS, ANOTHER), (EARLIER, LANDMARKS)], ids=lambda t: t.label)
def test_a_store_is_brought_over_to_another_set_and_shows_the_one_before_until_that_is_whole(
    before, after, workspace, tmp_path, measure_with
):
    with open_store(tmp_path / "s.duckdb") as store:
        write(store, read_demo(workspace.portraits))
        store.execute("DELETE FROM images WHERE image_id NOT IN (FROM (SELECT image_id FROM images LIMIT 8))")
        measure_with(before)
        extract(store, [], lambda *_: None, engine=look_in_this_process)
        views = {view: store.frame(f"FROM {view} ORDER BY image_id") for view in ("geometric_features", "shapes")}
        assert type_of(store, "landmarks", "x") == f"FLOAT[{before.number}]"

        measure_with(after)
        line, *_ = plan(store, outputs([]))
        assert (line.extractor, line.stale, line.fresh) == ("landmarks", 8, 0)
        assert f"topology {before.label} → {after.label}" in line.why
        assert line.seconds > 0
        with pytest.raises(KeyboardInterrupt):
            extract(store, [], lambda *_: None, engine=partial(look_in_this_process, stopped_after=3))
        assert type_of(store, "landmarks", "x") == f"FLOAT[{before.number}]"
        assert len(store.frame("FROM landmarks")) == 8

        extracted = extract(store, [], lambda *_: None, engine=look_in_this_process)
        assert extracted == Extracted(5, 0, 8)
        assert type_of(store, "landmarks", "x") == f"FLOAT[{after.number}]"
        for view, rows in views.items():
            assert_frame_equal(store.frame(f"FROM {view} ORDER BY image_id").select(rows.columns), rows)


def type_of(store: Store, table: str, column: str) -> str:
    query = "SELECT data_type FROM duckdb_columns() WHERE table_name = $table AND column_name = $column"
    return store.value(query, table=table, column=column)


def test_mean_shapes_of_several_lengths_stand_side_by_side(tmp_path):
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        normalization_statistics.fit(store, (PROTOCOL, 1))
        short = Output("shape", "shapes", "one row an image", (Field("shape", "float32[6]", "unit size"),), 2)
        register(store, [short])
        rows = store.frame("SELECT sha256 FROM shapes JOIN images USING (image_id)")
        random = np.random.default_rng(0).normal(size=(len(rows), 6)).astype(np.float32)
        store.append(short.table_name, rows.with_columns(shape=pl.Series(random)))
        activate(store, [("shape", short.version)])
        normalization_statistics.fit(store)
        lengths = store.frame("SELECT len(mean_shape), count(*) FROM statistics GROUP BY ALL ORDER BY ALL").rows()
        assert lengths == [(6, 2), (FACEMESH.shape_length, 1)]
        assert store.value("SELECT count(*) FROM normalized_features WHERE averageness IS NULL") == 0
        assert store.value("SELECT count(*) FROM normalized_features") == 2 * len(rows)
