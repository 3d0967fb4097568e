"""Shapes of faces: alignment, asymmetry, regressions, composites, and what is written for other programs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

import kallos
from extractors.alignment import mirrored, unit_shapes
from extractors.decode import decode
from extractors.topologies.mediapipe_478 import TOPOLOGY
from extractors.warping import Warp, fitted
from featurestore.errors import PrerequisiteError, UsageError
from reports.pages import shape as shape_page
from reports.stats.shapes.faces import landmarks_of
from reports.stats.shapes.procrustes import Aligned, asymmetries, flat, shaped
from reports.stats.shapes.regression import explained_shape, predicted_score
from reports.stats.shapes.space import ShapeSpace, upright
from tests.command import kallos as kallos_command
from tests.command import kallos_ok
from tests.conftest import Workspace
from tests.test_cli import refused

UP = upright(TOPOLOGY)
MIRROR = TOPOLOGY.mesh_mirror
PAGE = (Path(__file__).parent.parent / "docs/studies/shape.md").read_text(encoding="utf-8")


def unit_faces(n: int, seed: int = 0, noise: float = 0.003):
    """(n, M) unit shapes around the canonical face."""
    random = np.random.default_rng(seed)
    faces = UP + random.normal(0, noise, (n, len(UP))) + 1j * random.normal(0, noise, (n, len(UP)))
    return unit_shapes(np.stack([faces.real, faces.imag], axis=2))


def frame(n: int = 60, seed: int = 0, **columns) -> pl.DataFrame:
    """Faces as the store has them, with pixels of their own."""
    faces = 100 * unit_faces(n, seed)
    irises = np.zeros((n, TOPOLOGY.number - faces.shape[1]))
    x, y = (np.hstack([axis, irises]) + 200 for axis in (faces.real, faces.imag))
    return pl.DataFrame({"image_id": [f"a/{i}.png" for i in range(n)], "x": x.tolist(), "y": y.tolist(), **columns})


@given(
    turn=st.floats(-3.1, 3.1),
    size=st.floats(1e-3, 1e3),
    x=st.floats(-1e3, 1e3),
    y=st.floats(-1e3, 1e3),
    which=st.integers(0, 7),
)
def test_place_size_and_roll_of_any_face_change_nothing(turn, size, x, y, which):
    faces = unit_faces(8)
    aligned = Aligned.of(faces, UP)
    moved = faces.copy()
    moved[which] = moved[which] * size * np.exp(1j * turn) + complex(x, y)
    again = Aligned.of(unit_shapes(np.stack([moved.real, moved.imag], axis=2)), UP)
    np.testing.assert_allclose(again.shapes, aligned.shapes, atol=1e-9)
    np.testing.assert_allclose(again.mean, aligned.mean, atol=1e-9)


def test_aligned_shapes_lie_as_near_to_their_mean_as_they_can():
    aligned = Aligned.of(unit_faces(8), UP)
    for turn in (-0.01, 0.01):
        turned = np.linalg.norm(aligned.shapes * np.exp(1j * turn) - aligned.mean, axis=1)
        assert (turned > aligned.distances).all()
    np.testing.assert_allclose(np.linalg.norm(aligned.mean), 1)
    np.testing.assert_allclose(aligned.tangent @ flat(aligned.mean), 0, atol=1e-12)
    np.testing.assert_allclose(shaped(flat(aligned.shapes)), aligned.shapes)


def test_components_are_those_of_a_decomposition_of_the_tangent_plane():
    space = ShapeSpace.of(landmarks_of(frame(30)))
    values = np.linalg.svd(space.aligned.tangent - space.aligned.tangent.mean(axis=0), compute_uv=False) ** 2 / 29
    np.testing.assert_allclose(space.sds**2, values[: len(space.sds)], rtol=1e-9)
    np.testing.assert_allclose(space.variance, values.sum(), rtol=1e-9)
    np.testing.assert_allclose(space.scores.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(space.components @ space.components.T, np.eye(len(space.sds)), atol=1e-9)


def test_mirrored_faces_have_the_opposite_asymmetry():
    faces = unit_faces(6)
    differences, symmetric = asymmetries(faces, UP, MIRROR)
    images, same = asymmetries(mirrored(faces, MIRROR), UP, MIRROR)
    np.testing.assert_allclose(images, -differences, atol=1e-10)
    np.testing.assert_allclose(same, symmetric, atol=1e-10)
    half = unit_faces(6) + mirrored(unit_faces(6), MIRROR)
    half /= np.linalg.norm(half, axis=1, keepdims=True)
    np.testing.assert_allclose(asymmetries(half, UP, MIRROR)[0], 0, atol=1e-9)


def test_asymmetry_is_split_as_it_was_made():
    """All faces share one difference of their sides: that is directional, and what each has beside it fluctuates."""
    n, random = 60, np.random.default_rng(1)
    shared, own = (random.normal(0, sd, (rows, len(UP))) for sd, rows in ((0.002, 1), (0.001, n)))
    symmetric = UP + random.normal(0, 0.004, (n, 1)) * UP.imag  # some faces are longer
    faces = symmetric + shared + own
    found = kallos.shape_analysis(
        frame(n).with_columns(
            pl.Series(axis, np.hstack([values, np.zeros((n, 10))]).tolist())
            for axis, values in (("x", faces.real), ("y", faces.imag))
        )
    ).asymmetry
    # a difference of two sides has twice the odd half of what was added
    odd = np.linalg.norm(shared - mirrored(shared + 0j, MIRROR))
    assert found.directional_p == 0.001
    assert found.directional.value == pytest.approx(odd, rel=0.05)
    assert found.directional.low < odd < found.directional.high
    assert found.of_faces + found.of_sides + found.own == pytest.approx(1)
    each = np.linalg.norm(own - mirrored(own + 0j, MIRROR), axis=1)
    assert found.of_sides / found.own == pytest.approx(odd**2 / (each**2).mean(), rel=0.1)
    assert found.fluctuating.value == pytest.approx(each.mean(), rel=0.05)
    without = kallos.shape_analysis(frame(n)).asymmetry
    assert without.directional_p > 0.05
    assert without.directional.low == 0


def test_permutation_tests_keep_their_level():
    """Where nothing is to be found, p falls below .05 in about one of twenty simulations, and shares are about 0."""
    random, runs = np.random.default_rng(2), 80
    p, shares = np.empty((3, runs)), np.empty(runs)
    for run in range(runs):
        shapes, score = random.normal(size=(40, 6)) * (3, 2, 1, 1, 1, 1), random.normal(size=40)
        explained = explained_shape(shapes, score, shapes.var(axis=0, ddof=1).sum())
        shares[run] = explained.adjusted.value
        p[:, run] = explained.p, predicted_score(shapes, score).p, predicted_score(shapes[:, :1], score).p
    low, high = binom.ppf((0.001, 0.999), runs, 0.05)
    assert ((low <= (p <= 0.05).sum(axis=1)) & ((p <= 0.05).sum(axis=1) <= high)).all(), (p <= 0.05).mean(axis=1)
    assert abs(shares.mean()) < 3 * shares.std() / np.sqrt(runs)


def test_what_is_there_is_found():
    random = np.random.default_rng(3)
    shapes = random.normal(size=(300, 30))
    score = shapes[:, :3].sum(axis=1) + random.normal(size=300)  # three quarters of the variance
    found = predicted_score(shapes, score)
    assert found.p == 0.001
    assert found.r2.low < 0.75 < found.r2.high
    one = predicted_score(shapes[:, :1], score)
    assert one.correlation.value == pytest.approx(np.corrcoef(shapes[:, 0], score)[0, 1])
    change = explained_shape(shapes, score, shapes.var(axis=0, ddof=1).sum())
    slopes = np.polyfit(score, shapes, 1)[0]
    left = ((shapes - shapes.mean(axis=0) - np.outer(score - score.mean(), slopes)) ** 2).sum()
    assert change.share == pytest.approx(1 - left / ((shapes - shapes.mean(axis=0)) ** 2).sum())


def test_women_and_men_and_the_score_give_their_directions():
    n = 80
    sex = ["female", "male"] * (n // 2)
    faces = frame(n, sex=sex)
    points = landmarks_of(faces)
    wider = np.where(np.array(sex) == "male", 1.03, 1.0)[:, None]
    faces = faces.with_columns(
        x=pl.Series((points[..., 0] * wider).tolist()), score=pl.Series(wider[:, 0] + np.arange(n) / 1e4)
    )
    found = kallos.shape_analysis(faces)
    assert found.dimorphism.women == found.dimorphism.men == 40
    assert found.dimorphism.change.p == 0.001
    assert found.dimorphism.distance.low > 0.01
    means = found.faces.group_by("sex").agg(pl.col("masculinity").mean()).sort("sex")["masculinity"]
    np.testing.assert_allclose(means, [0, 1], atol=1e-9)
    vector = found.space.along_sex(sex)
    widths = vector.real / UP.real
    assert np.median(widths) == pytest.approx(0.03 * (UP.imag**2).sum(), rel=0.2)  # unit size takes some of it
    assert (flat(vector) @ flat(found.space.along_score(faces["score"].to_numpy()))) > 0
    assert set(found.predictions) > {"whole shape", "masculinity of women", "masculinity of men"}
    assert found.predictions["whole shape"].p == 0.001


def test_photos_of_one_person_count_once():
    faces = frame(60, score=np.arange(60.0) % 7, person=[str(i // 2) for i in range(60)])
    found = kallos.shape_analysis(faces)
    assert (found.images, found.people) == (60, 30)
    assert {each.people for each in found.predictions.values()} == {30}


def test_what_cannot_be_studied_is_said():
    with pytest.raises(PrerequisiteError, match="fewer than 20 people"):
        kallos.shape_analysis(frame(19))
    with pytest.raises(UsageError, match="478 or 468 landmarks"):
        kallos.shape_analysis(frame(20).with_columns(pl.col("x").list.head(7)))
    found = kallos.shape_analysis(frame(20, score=[3.0] * 20))  # scores that do not vary tell nothing
    assert found.change is None
    assert found.predictions == {}
    with pytest.raises(UsageError, match="do not vary"):
        found.space.along_score(np.full(20, 3.0))
    with pytest.raises(UsageError, match="known to be female"):
        found.space.along_sex([None] * 20)
    with pytest.raises(UsageError, match="no component 99"):
        found.space.along_component(99)


@pytest.fixture(scope="module")
def one(workspace: Workspace):
    """The composite of one face."""
    return kallos.composite(workspace.store, "image_id = 'demo/P0001.jpg'", size=200)


def test_the_composite_of_one_face_is_that_face(workspace: Workspace, one):
    with kallos.open_store(workspace.store) as store:
        x, y = store.frame("SELECT x, y FROM landmarks WHERE image_id = 'demo/P0001.jpg'").row(0)
    source = np.column_stack([x, y])[: len(UP)].astype(np.float32)
    matrix, _ = cv2.estimateAffinePartial2D(source, one.landmarks.astype(np.float32), method=cv2.LMEDS)
    matrix[:, 2] += matrix[:, :2].sum(axis=1) / 2 - 0.5
    placed = cv2.warpAffine(decode(workspace.portrait), matrix, (200, 200), borderMode=cv2.BORDER_REPLICATE)
    assert np.abs(placed.astype(int) - one.image).mean() < 1
    assert one.image_ids == ("demo/P0001.jpg",)


@pytest.mark.parametrize("wider", [1, 1.15])
def test_a_warp_puts_landmarks_where_they_should_be(wider: float):
    """White dots of a black photo are found at the landmarks of the picture, also of one that is deformed."""
    target = fitted(np.column_stack([UP.real, UP.imag]), 300)
    source = target * (1.1, 0.9) + (20, 40)
    photo = np.zeros((400, 400, 3), dtype=np.uint8)
    chosen = [TOPOLOGY.points[name][0] for name in ("nose_tip", "chin", "right_eye_outer", "left_mouth_corner")]
    for x, y in source[chosen]:
        cv2.circle(photo, (round(x - 0.5), round(y - 0.5)), 3, (255, 255, 255), -1)
    moved = (target - 150) * (wider, 1) + 150
    warped = Warp(target, 300, None if wider == 1 else moved)(photo, source)
    for x, y in moved[chosen]:
        near = warped[round(y) - 8 : round(y) + 8, round(x) - 8 : round(x) + 8, 0].astype(float)
        rows, columns = np.indices(near.shape)
        found = (columns * near).sum() / near.sum() + round(x) - 8, (rows * near).sum() / near.sum() + round(y) - 8
        np.testing.assert_allclose(found, (x - 0.5, y - 0.5), atol=1)


def test_a_large_photo_is_warped_as_its_small_copy(workspace: Workspace):
    photo = decode(workspace.portrait)
    landmarks = fitted(np.column_stack([UP.real, UP.imag]), min(photo.shape[:2]))
    large = cv2.resize(photo, None, fx=4, fy=4, interpolation=cv2.INTER_LINEAR)
    warp = Warp(fitted(np.column_stack([UP.real, UP.imag]), 96), 96)
    assert np.abs(warp(photo, landmarks).astype(int) - warp(large, 4 * landmarks)).mean() < 3


def test_a_composite_is_the_mean_of_its_photos(workspace: Workspace):
    two = kallos.composite(workspace.store, "image_id IN ('demo/P0001.jpg', 'demo/P0002.jpg')", size=128)
    assert two.image_ids == ("demo/P0001.jpg", "demo/P0002.jpg")
    with kallos.open_store(workspace.store) as store:
        rows = store.frame(
            "SELECT x, y FROM landmarks WHERE image_id IN ('demo/P0001.jpg', 'demo/P0002.jpg') ORDER BY image_id"
        )
    warp, points = Warp(two.landmarks, 128), landmarks_of(rows)[:, : len(UP)]
    photos = [decode(workspace.portraits / "images" / f"P000{i}.jpg") for i in (1, 2)]
    each = [warp(photo, landmarks).astype(float) for photo, landmarks in zip(photos, points, strict=True)]
    np.testing.assert_allclose(two.image, np.mean(each, axis=0), atol=0.51)


def test_shapes_are_moved_as_far_as_is_said(workspace: Workspace, one):
    where = "image_id = 'demo/P0001.jpg'"
    moved = {by: kallos.composite(workspace.store, where, along="mean", by=by, size=200) for by in (-1, 0, 1)}
    np.testing.assert_allclose(moved[0].landmarks, one.landmarks, atol=1e-9)
    np.testing.assert_array_equal(moved[0].image, one.image)
    composite = kallos.composite(workspace.store, size=200)
    shapes = unit_shapes(np.stack([moved[-1].landmarks, composite.landmarks]))
    assert abs(abs(shapes[0].conj() @ shapes[1]) - 1) < 1e-9  # the same shape
    np.testing.assert_allclose(moved[1].landmarks - one.landmarks, one.landmarks - moved[-1].landmarks, atol=1e-9)
    assert np.abs(moved[1].image.astype(int) - one.image).mean() > 1
    with kallos.open_store(workspace.store) as store:
        space = ShapeSpace.of(landmarks_of(store.frame("SELECT x, y FROM landmarks ORDER BY image_id")))
    up, down = (kallos.composite(workspace.store, along="pc2", by=by, size=64).landmarks for by in (2, -2))
    step = (
        (up - down)
        @ (1, 1j)
        / np.linalg.norm(fitted(composite.landmarks, 64) - fitted(composite.landmarks, 64).mean(axis=0))
    )
    assert np.linalg.norm(step) == pytest.approx(4 * space.sds[1], rel=1e-6)


def test_any_selection_will_do(workspace: Workspace, tmp_path: Path):
    store_option = ("--store", workspace.store)
    query = "SELECT image_id FROM scores ORDER BY score DESC LIMIT 3"
    assert ": 3 faces" in kallos_ok("composite", tmp_path / "a.png", "--where", query, "--size", 64, *store_option).err
    condition = "subset = 'WF' AND jaw_width > 0 AND score > 1"
    answer = kallos_ok(
        "composite", tmp_path / "b.jpg", "--where", condition, "--along", "score", "--by=-2", *store_option
    )
    assert "faces" in answer.err
    assert decode(tmp_path / "a.png").shape == (64, 64, 3)
    assert decode(tmp_path / "b.jpg").shape == (512, 512, 3)
    for where, code, words in (
        ("score > 99", 2, "selects no image"),
        ("SELECT 1 AS one", 2, "no column image_id"),
        ("SELECT 'nobody' AS image_id", 2, "No selected image has landmarks"),
        ("DELETE FROM images", 10, "kallos tables"),
        ("1 = 1); DROP TABLE images; --", 10, "kallos tables"),
        ("image_id IN (SELECT root FROM locations)", 10, "locations is not a table"),
    ):
        refused(kallos_command("composite", tmp_path / "c.png", "--where", where, *store_option), code, words)
    for options, words in (
        (("--along", "beauty"), "cannot be moved along 'beauty'"),
        (("--along", "sex"), "No face is known to be female"),
        (("--along", "mean", "--by", "nan"), "at most 10"),
        (("--size", 5), "at most 10, and make pictures of 32 to 4,096"),
    ):
        refused(kallos_command("composite", tmp_path / "c.png", *options, *store_option), 2, words)
    refused(kallos_command("composite", tmp_path / "c.gif", *store_option), 2, "name it .png or .jpg")
    refused(kallos_command("composite", tmp_path / "none" / "c.png", *store_option), 2, "There is no folder")
    assert not (tmp_path / "c.png").exists()


@pytest.fixture(scope="module")
def written(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where every shell command of the page was typed."""
    folder = tmp_path_factory.mktemp("shape")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        shutil.copy(workspace.store, "kallos.duckdb")
        (block,) = re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL)
        for line in block.splitlines():
            kallos_ok(*shlex.split(line)[1:])
    return folder


def test_the_page_in_python(written: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(written)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
    names: dict = {}
    exec(code, names)
    assert names["found"].images == 120
    assert names["picture"].image.shape == (512, 512, 3)


def test_the_report_is_written_for_people_and_programs(written: Path, workspace: Workspace):
    text = (written / "shape.html").read_text(encoding="utf-8")
    assert all(words in text for words in ("Principal components", "fluctuating asymmetry", "whole shape", "<svg"))
    names = {file.name for file in (written / "figures").glob("*.png")}
    assert names == {*(f"shape_pc{i}.png" for i in range(1, 11)), "shape_score.png", "shape_components.png"}
    found = kallos_ok("report", "shape", "--json", "--store", workspace.store).json()
    assert found["schema"] == "kallos.report.shape/1"
    assert not {"space", "faces", "measured"} & set(found)
    assert found["predictions"]["whole shape"]["r2"]["low"] > 0  # the drawn preference is one of shape, mostly
    assert found["images"] == 120
    refused(
        kallos_command("report", "overview", "--tables", written / "t", "--store", workspace.store),
        2,
        "writes no tables",
    )


def test_files_for_other_programs_hold_the_landmarks(written: Path):
    with kallos.open_store(written / "kallos.duckdb") as store:
        stored = store.frame("SELECT image_id, x, y FROM landmarks ORDER BY image_id")
    points = landmarks_of(stored)
    blocks = re.findall(r"LM=478\n((?:.+\n){478})ID=(.+)\n", (written / "tables/landmarks.tps").read_text())
    assert [image_id for _, image_id in blocks] == stored["image_id"].to_list()
    read = np.array([[line.split() for line in block.splitlines()] for block, _ in blocks], dtype=float)
    np.testing.assert_allclose(read * (1, -1), points, atol=6e-4)
    lines = (written / "tables/templates/demo/P0001.tem").read_text().splitlines()
    np.testing.assert_allclose([[float(v) for v in line.split("\t")] for line in lines[1:479]], points[0], atol=6e-4)
    assert (lines[0], int(lines[479])) == ("478", 8)
    for closed, number, indices in zip(*(lines[480 + i :: 3] for i in range(3)), strict=True):
        assert closed == "1"
        assert len(indices.split()) == int(number)
    faces = pl.read_csv(written / "tables/faces.csv")
    assert faces["image_id"].to_list() == stored["image_id"].to_list()
    assert {"score", "averageness", "fluctuating_asymmetry", "pc10"} < set(faces.columns)


def test_r_finds_the_same(written: Path):
    if shutil.which("Rscript") is None:
        pytest.skip("R with its base packages is not installed")
    (script,) = re.findall(r"```r\n(.*?)```", PAGE, flags=re.DOTALL)
    answer = subprocess.run(
        ["Rscript", "--vanilla", "-e", script], cwd=written, capture_output=True, text=True, check=True
    )
    in_r = {line.split()[0]: [float(v) for v in line.split()[1:]] for line in answer.stdout.splitlines()}
    found = json.loads(kallos.report("shape", written / "kallos.duckdb").json())
    np.testing.assert_allclose(in_r["components"], [c["share"]["value"] for c in found["components"][:3]], rtol=2e-3)
    assert in_r["score"][0] == pytest.approx(found["change"]["share"], rel=2e-3)
    assert in_r["averageness"][0] == pytest.approx(found["averageness"]["value"], rel=1e-3)


def test_wireframes_fit_the_terminal():
    report = kallos.shape_analysis(frame(40, score=np.arange(40.0)))
    for width in (20, 80, 200):
        lines = shape_page._wireframes(report, "score").text(width).plain.splitlines()
        assert max(map(len, lines[:-1])) <= width
