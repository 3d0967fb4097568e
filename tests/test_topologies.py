"""Sets of landmarks: what every one of them keeps, and one more that is used by being registered."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from ensemble.novelty import pose
from extractors import region_windows
from extractors.alignment import align_face, procrustes_shape
from extractors.definitions import definitions
from extractors.facemesh import FaceMesh
from extractors.geometry.compute import compute_geometry
from extractors.landmark_finder import finder_of
from extractors.outputs import Field, Output
from extractors.points import REGION_CONTOURS, SKIN_PATCHES, Landmarks
from extractors.skin import compute_skin
from extractors.topologies import registry
from extractors.topologies.facemesh_468 import TOPOLOGY as FACEMESH
from extractors.topologies.registry import TOPOLOGIES, topology_of
from extractors.topology import UNNAMED, both_sides
from extractors.values import outputs
from featurestore import statistics
from featurestore.ingest.dataset import write
from featurestore.ingest.demo import read_demo
from featurestore.store import Store
from featurestore.versions import activate, register
from kallos.engines import local, workers
from kallos.engines.batch import Batch
from kallos.engines.extraction import Extracted, extract
from tests.golden.rebuild import distorted, striped_photo
from tests.synthetic_store import PROTOCOL, make_store

IRISES = 10


class FaceMeshAndIrises(FaceMesh):
    """Stands where another landmarker would: the mesh, and points that are no part of it."""

    VERSION = 7

    def find(self, image):
        found = super().find(image)
        return replace(found, landmarks=with_irises(found.landmarks))


def with_irises(mesh):
    """Landmarks of the mesh, (P, 3), and five of each iris at the middle of its eye."""
    right, left = (mesh[list(ends)].mean(axis=0) for ends in ((33, 133), (263, 362)))
    return np.vstack([mesh, np.repeat([right], 5, axis=0), np.repeat([left], 5, axis=0)]).astype(mesh.dtype)


def mirror_with_irises():
    first = len(FACEMESH.mirror)
    right, left = np.arange(first, first + 5), np.arange(first + 5, first + IRISES)
    return np.concatenate([FACEMESH.mirror, left, right])


ANOTHER = replace(
    FACEMESH,
    name="with-irises",
    number=FACEMESH.number + IRISES,
    mirror=mirror_with_irises(),
    points={**FACEMESH.points, **both_sides({"iris_centre": (FACEMESH.number,)}, mirror_with_irises())},
    finder="tests.test_topologies:FaceMeshAndIrises",
)


@pytest.fixture
def registered(monkeypatch):
    """Another set, in the place of the one that photos are measured with."""
    monkeypatch.setattr(registry, "TOPOLOGIES", (ANOTHER, *TOPOLOGIES))
    workers._finder.cache_clear()
    yield ANOTHER
    workers._finder.cache_clear()


every = pytest.mark.parametrize("topology", [*TOPOLOGIES, ANOTHER], ids=lambda t: t.label)


def test_labels_and_numbers_are_of_one_set_each():
    assert len({topology.label for topology in TOPOLOGIES}) == len(TOPOLOGIES)
    assert len({topology.number for topology in TOPOLOGIES}) == len(TOPOLOGIES)


@every
def test_a_mirror_map_is_its_own_inverse_and_keeps_the_mesh(topology):
    assert (topology.mirror[topology.mirror] == np.arange(topology.number)).all()
    assert (topology.mesh[topology.mesh_mirror] == topology.mesh * (-1, 1, 1)).all()


@every
def test_a_set_names_all_that_is_measured_cut_and_drawn(topology):
    boxed = {contour for _, contour in region_windows.BOXED}
    drawn = {contour for contours in REGION_CONTOURS.values() for contour in contours}
    named = {point for definition in definitions() for point in definition.points}
    assert topology.contours.keys() >= boxed | drawn | set(SKIN_PATCHES)
    assert topology.points.keys() | topology.contours.keys() >= named
    assert {i for indices in (topology.points | topology.contours).values() for i in indices} < set(
        range(topology.number)
    )


@every
def test_a_finder_says_what_its_values_depend_on(topology):
    finder = finder_of(topology)
    assert finder.VERSION >= 1
    json.dumps(dict(finder.parameters()))


def test_landmarks_are_known_by_their_number():
    face = distorted(0.2)
    assert topology_of(face) is topology_of(face[None, :, :2]) is FACEMESH
    with pytest.raises(ValueError, match=r"no set of landmarks has 17: facemesh-468@1"):
        topology_of(face[:17])


def test_the_first_set_is_not_named_in_recipes_so_that_its_versions_stay():
    assert FACEMESH.label == UNNAMED
    assert FACEMESH.recipe == {}
    assert replace(FACEMESH, version=2).recipe == {"topology": "facemesh-468@2"}


def test_points_beyond_the_mesh_change_nothing_of_what_is_measured_on_it(registered):
    faces = np.stack([distorted(0.25, 7), distorted(-0.35, -12)])
    more = np.stack([with_irises(face) for face in faces])
    assert Landmarks(more).topology is registered
    assert np.array_equal(compute_geometry(more)[1], compute_geometry(faces)[1])
    assert np.array_equal(procrustes_shape(more), procrustes_shape(faces))
    assert np.array_equal(pose(more.astype(np.float32)), pose(faces.astype(np.float32)))
    crops = [align_face(striped_photo(), face[0].astype(np.float32)) for face in (faces, more)]
    assert np.array_equal(*(crop.image for crop in crops))
    assert np.array_equal(*(compute_skin(crop.image, crop.visible) for crop in crops), equal_nan=True)
    assert np.array_equal(*(region_windows.cells(crop.landmarks, 256) for crop in crops))
    assert Landmarks(more)["left_iris_centre"].shape == (2, 2)


def test_a_registered_set_makes_new_versions_of_all_that_is_computed_from_it(registered, monkeypatch):
    another = outputs([])
    monkeypatch.setattr(registry, "TOPOLOGIES", TOPOLOGIES)
    today = outputs([])
    assert not {output.version for output in another} & {output.version for output in today}
    assert json.loads(another[0].recipe)["parameters"]["topology"] == "with-irises@1"
    assert another[0].code_version == FaceMeshAndIrises.VERSION
    assert [field.dtype for field in another[0].fields] == ["float32[478]"] * 3


def look_in_this_process(store, wanted, encoders, tasks):
    """An engine without workers, which would not see what a test registered."""
    batch = Batch(wanted)
    workers._set_state({})
    for task in tasks:
        batch.add(workers._extract(task))
        yield 1, 0
    local._write(store, batch)


def test_a_store_is_brought_over_to_a_registered_set(workspace, tmp_path, request):
    with Store.open(tmp_path / "s.duckdb") as store:
        write(store, read_demo(workspace.portraits))
        store.execute("DELETE FROM images WHERE image_id NOT IN (FROM (SELECT image_id FROM images LIMIT 8))")
        workers._finder.cache_clear()
        extract(store, [], lambda *_: None, engine=look_in_this_process)
        before = {view: store.frame(f"FROM {view} ORDER BY image_id") for view in ("geometric_features", "shapes")}
        assert type_of(store, "landmarks", "x") == "FLOAT[468]"

        registered = request.getfixturevalue("registered")
        done = extract(store, [], lambda *_: None, engine=look_in_this_process)
        assert done == Extracted(8, 0, 8)
        assert type_of(store, "landmarks", "x") == f"FLOAT[{registered.number}]"
        for view, rows in before.items():
            assert_frame_equal(store.frame(f"FROM {view} ORDER BY image_id"), rows)


def type_of(store: Store, table: str, column: str) -> str:
    query = "SELECT data_type FROM duckdb_columns() WHERE table_name = $table AND column_name = $column"
    return store.value(query, table=table, column=column)


def test_mean_shapes_of_several_lengths_stand_side_by_side(tmp_path):
    with make_store(tmp_path / "s.duckdb", trained=False) as store:
        statistics.fit(store, (PROTOCOL, 1))
        short = Output("shape", "shapes", "one row an image", (Field("shape", "float32[6]", "unit size"),), 2)
        register(store, [short])
        rows = store.frame("SELECT sha256 FROM shapes JOIN images USING (image_id)")
        random = np.random.default_rng(0).normal(size=(len(rows), 6)).astype(np.float32)
        store.append(short.table_name, rows.with_columns(shape=pl.Series(random)))
        activate(store, [("shape", short.version)])
        statistics.fit(store)
        lengths = store.frame("SELECT len(mean_shape), count(*) FROM statistics GROUP BY ALL ORDER BY ALL").rows()
        assert lengths == [(6, 2), (FACEMESH.shape_length, 1)]
        assert store.value("SELECT count(*) FROM normalized_features WHERE averageness IS NULL") == 0
        assert store.value("SELECT count(*) FROM normalized_features") == 2 * len(rows)
