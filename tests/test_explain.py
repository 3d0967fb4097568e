"""`kallos explain`: parts that add up, and the same words in the terminal, as HTML, as JSON and as a picture."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ensemble.bundle import open_bundle
from ensemble.intervals import EVERYONE, Intervals
from ensemble.predictor import Predictor
from extractors.regions import REGIONS
from extractors.values import face_of
from featurestore.calibration import Calibration
from featurestore.opening import open_store
from kallos.portraits.painter import paint
from kallos.portraits.parameters import draw_parameters
from models.baseline.attribution import parts_by_feature
from models.regions import attribution
from models.regions.attribution import parts_by_region
from reports.pages import explanation, explanation_data
from reports.render.palette import ACCENT, WARM
from reports.render.plots.plot import INK
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.test_reports import text_of


@pytest.fixture(scope="module")
def predictor(workspace: Workspace):
    with Predictor(open_bundle(workspace.bundle)) as opened:
        yield opened


@pytest.fixture(scope="module")
def explained(predictor: Predictor, workspace: Workspace):
    return predictor.explain(workspace.portrait)


def batch_of(predictor: Predictor, seed: int):
    return predictor.batch_of("drawn", face_of(paint(draw_parameters(seed), 256), predictor._finder))[0]


# the parts


@pytest.mark.parametrize("name", ["b", "b-joint"])
@pytest.mark.parametrize("seed", range(3))
def test_regions_add_up_to_b_and_inputs_to_their_region(predictor: Predictor, name: str, seed: int):
    model, batch = predictor.models[name], batch_of(predictor, seed)
    parts = parts_by_region(model, batch)
    assert sum(part.contribution for part in parts.values()) == pytest.approx(model.predict(batch)[0], abs=1e-9)
    weighted = model.sub_scores(batch)[0] * model.weights
    assert [part.contribution for part in parts.values()] == pytest.approx(weighted.tolist(), abs=1e-9)
    for region, part in parts.items():
        assert part.average + sum(part.features.values()) + part.windows == pytest.approx(part.contribution, abs=1e-9)
        assert len(part.features) == len(model.models[0].columns_of(region))
    assert (parts["symmetry"].windows == 0) == (name == "b"), "symmetry has no windows"


def test_what_the_integral_lacks_is_small(predictor: Predictor, monkeypatch: pytest.MonkeyPatch):
    lacking = []

    def adding_up(parts, whole):
        lacking.append(abs(whole - parts.sum()))
        return parts

    monkeypatch.setattr(attribution, "_adding_up", adding_up)
    parts_by_region(predictor.models["b"], batch_of(predictor, 5))
    assert len(lacking) == len(REGIONS)
    assert max(lacking) < 0.001


def test_an_average_face_is_moved_by_nothing(predictor: Predictor):
    batch = batch_of(predictor, 0)
    batch.features[:] = 0
    for part in parts_by_region(predictor.models["b"], batch).values():
        assert not any(part.features.values())


def test_tree_shap_adds_up_to_the_baseline(predictor: Predictor):
    model, batch = predictor.models["baseline"], batch_of(predictor, 1)
    parts = parts_by_feature(model, batch)
    assert sum(parts.values()) == pytest.approx(model.predict(batch)[0], abs=1e-6)
    assert {"shape", "average"} < parts.keys()


def test_members_correction_and_bias_add_up_to_the_score(predictor, workspace, monkeypatch: pytest.MonkeyPatch):
    everyone = predictor.intervals.everyone
    intervals = Intervals({EVERYONE: everyone, "FF": Calibration(50, 0.1, (3.0,), (0.5,))})
    monkeypatch.setattr(predictor, "intervals", intervals)
    for group, bias in ((None, 0.0), ("FF", 0.1)):
        explanation = predictor.explain(workspace.portrait, group)
        found = explanation.prediction
        score = sum(weight * found.members[member] for member, weight in found.combined_by.items())
        assert score + found.correction - found.bias == pytest.approx(found.score, abs=1e-9)
        assert found.bias == bias
        assert found.score == predictor.predict(workspace.portrait, group).score


def test_a_sum_beyond_the_scale_says_so(explained):
    report = explanation_data.data(explained, None, None)
    assert "beyond the scale" not in text_of(explanation.render(report))
    beyond = replace(report, score=report.score - 0.1)
    assert re.search(r"what lies beyond the scale +-0\.100", text_of(explanation.render(beyond)))


# the report


def test_percentiles_are_those_of_the_store(explained, workspace: Workspace):
    with open_store(workspace.store, read_only=True) as store:
        report = explanation_data.data(explained, "FF", store)
        feature = next(f for region in report.regions for f in region.features if f.percentile is not None)
        values = store.frame(
            f'SELECT "{feature.name}" AS v FROM geometric_features JOIN images USING (image_id) WHERE subset = $s',
            s="FF",
        )["v"].to_numpy()
    below = np.mean((values < feature.value) + (values == feature.value) / 2)
    assert feature.percentile == pytest.approx(100 * below)


def test_every_value_is_in_its_own_unit_and_gives_its_z_score(predictor: Predictor, explained):
    statistics = predictor._parts.normalization
    values = np.array([explained.prediction.features[name] for name in statistics.features])
    z = np.array([explained.z[name] for name in statistics.features])
    assert "averageness" in statistics.features
    assert np.allclose((values - statistics.mean) / statistics.sd, z, atol=1e-5)


def test_the_score_is_placed_among_the_raters_scores(explained, workspace: Workspace):
    with open_store(workspace.store, read_only=True) as store:
        report = explanation_data.data(explained, "FF", store)
        scores = store.frame("SELECT score FROM scores JOIN images USING (image_id) WHERE subset = 'FF'")["score"]
    assert sum(report.raters) == len(scores)
    assert report.below == pytest.approx(100 * float((scores < report.score).mean()))
    assert explanation_data.data(explained, None, None).raters == ()


def test_features_come_by_what_they_move_and_disagreement_is_opposite(explained):
    report = explanation_data.data(explained, None, None)
    for region in report.regions:
        moved = [abs(feature.moved) for feature in region.features]
        assert moved == sorted(moved, reverse=True)
        assert region.trees is not None
        assert region.disagree == (
            region.moved * region.trees < 0 and min(abs(region.moved), abs(region.trees)) > explanation_data.CLEAR
        )
        assert all(feature.percentile is None for feature in region.features)
    assert sum(region.contribution for region in report.regions) == pytest.approx(
        next(member.score for member in report.members if member.name == report.regions_of)
    )


# the command


def test_an_image_of_the_store_is_explained_beside_its_raters_and_neighbours(workspace: Workspace):
    answer = kallos_ok("explain", "P0003.jpg", "--store", workspace.store, "--json").json()
    assert answer["schema"] == "kallos.report.explanation/1"
    assert answer["stored"]["image_id"] == "demo/P0003.jpg"
    assert [near["by"] for near in answer["neighbours"]] == ["geometry", "embedding"]
    assert all(len(near["neighbours"]) == 5 for near in answer["neighbours"])
    assert answer["group"] is None
    output = kallos_ok("explain", "P0003.jpg", "--store", workspace.store).out
    for words in ("How the score is made", "the raters' mean", "Nearest by geometry", "% of all", "not a person's"):
        assert words in output
    assert max(map(len, output.splitlines())) <= 80


def test_a_bundle_explains_without_a_store(workspace: Workspace, tmp_path: Path):
    output = kallos_ok(
        "explain", workspace.portrait, "--bundle", workspace.bundle, "--store", tmp_path / "none.duckdb"
    ).out
    assert " sd " in output
    assert "Nearest" not in output


def test_it_is_written_as_html_and_drawn_as_png_and_svg(workspace: Workspace, tmp_path: Path):
    html, png, svg = (tmp_path / f"e.{suffix}" for suffix in ("html", "png", "svg"))
    options = ("--bundle", workspace.bundle, "--store", tmp_path / "none.duckdb")
    kallos_ok("explain", workspace.portrait, "--html", html, "--overlay", png, *options)
    kallos_ok("explain", workspace.portrait, "--overlay", svg, "--json", *options)
    text = html.read_text(encoding="utf-8")
    assert text.count('<img alt="The photo with its landmarks') == 1
    assert "data:image/jpeg;base64," in text
    assert "://" not in text
    assert cv2.imread(str(png)).std() > 10
    drawing = svg.read_text(encoding="utf-8")
    assert "<svg" in drawing
    colours = set(re.findall(r"(?:fill|stroke): (#[0-9a-f]{6})", drawing)) - {INK, "#ffffff"}
    assert colours == {ACCENT, WARM}, "as the legend above the photo says"


def test_what_cannot_be_explained_is_one_sentence(workspace: Workspace, tmp_path: Path):
    blank = tmp_path / "blank.png"
    Image.new("RGB", (200, 200)).save(blank)
    options = ("--store", workspace.store)
    for code, *arguments in (
        (5, blank),
        (2, "nobody.jpg"),
        (2, workspace.portrait, "--group", "XX"),
        (2, workspace.portrait, "--overlay", tmp_path / "e.bmp"),
    ):
        answer = kallos("explain", *arguments, *options)
        assert answer.code == code, answer.err
        assert answer.err.startswith("kallos: ")
        assert not answer.out


def test_json_holds_no_pixels(workspace: Workspace, tmp_path: Path):
    answer = kallos_ok("explain", workspace.portrait, "--bundle", workspace.bundle, "--store", tmp_path / "n", "--json")
    assert len(json.dumps(answer.json())) < 40_000
