"""What reports are made of: plots, bars, the panel and the overlay of a prediction, tables, JSON."""

import io
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.console import Console, RenderableType

from extractors.regions import REGIONS
from extractors.topologies.facemesh_468 import TOPOLOGY
from featurestore.errors import UsageError
from featurestore.ingest.dataset import IngestSummary
from featurestore.opening import open_store
from featurestore.records import Comparison, Origin, Prediction
from reports.pages import ingest, prediction, prediction_overlay, sql_rows, tables
from reports.pages.extraction import render as render_extraction
from reports.pages.extraction import summary
from reports.pages.prediction_overlay import draw_overlay
from reports.render.bars import Spark, bar, interval_bar, signed_bar
from reports.render.json import for_pictures, to_json
from reports.render.layout import duration, number, share
from reports.render.palette import REGION_COLOURS
from reports.render.plots import Dots, Histogram, Lines, Matrix, Scatter
from tests.synthetic_store import make_store

MESH = TOPOLOGY.mesh

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def lines_of(renderable: RenderableType, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue().splitlines()


@pytest.fixture
def predicted() -> Prediction:
    landmarks = (MESH * 8 + (175, 175, 0)).astype(np.float32)
    weights = dict(zip(REGIONS, np.arange(1, 9) / 36, strict=True))
    return Prediction(
        photo=Path("somewhere/photo.jpg"),
        score=3.4172,
        low=2.9,
        high=3.9,
        members={"a": 3.5, "b": 3.3},
        combined_by={"a": 0.5, "b": 0.5},
        correction=0.0772,
        bias=0.06,
        sub_scores=dict(zip(REGIONS, np.linspace(1, 5, 8).tolist(), strict=True)),
        weights={region: float(weight) for region, weight in weights.items()},
        features={"eye_width": 0.2, "unmeasured": float("nan")},
        landmarks=landmarks,
        notes=("3 faces, the largest was taken",),
        versions={"bundle": "1"},
        origin=Origin(
            "run-1",
            ("one", "two"),
            "attractive",
            (1.0, 7.0),
            "one-5fold",
            2,
            (Comparison("mean", 30, 0.5, 0.52, -0.1, 0.06),),
        ),
        in_training=False,
    )


# bars and plots


@given(NUMBERS, st.integers(1, 60))
def test_a_bar_fills_its_cell_whatever_the_number(fraction: float, width: int):
    assert len(str(bar(fraction, width))) == width


@example(0.0, 0.0, 0.0, 5e-324)
@given(NUMBERS, NUMBERS, NUMBERS, st.floats(0, allow_nan=False, allow_infinity=False))
def test_bars_around_zero_fill_their_cell_whatever_the_number(low: float, value: float, high: float, limit: float):
    assert len(str(signed_bar(value, limit, 17))) == 17
    limit = max(limit, *(abs(v) for v in (low, value, high) if np.isfinite(v)), 0)
    assert len(str(interval_bar(low, value, high, -limit, limit))) == 31


def test_bars_say_the_value():
    assert str(bar(0.5, 8)) == "━━━━────"
    assert str(signed_bar(-1, 2, 9)) == "──━━│────"
    assert str(signed_bar(2, 2, 9)) == "────│━━━━"
    assert str(interval_bar(0, 0.5, 1, -1, 1, width=9)) == "────━━●━━"
    assert str(interval_bar(2, 3, 4, 1, 5, 1, 9)) == "│─━━●━━──"
    assert str(Spark([0, 1, 100])) == " ▁█"


@given(st.lists(st.integers(0, 10**6), min_size=1, max_size=30), st.integers(40, 160))
def test_a_histogram_fits_and_its_highest_column_reaches_the_top(counts: list[int], width: int):
    lines = lines_of(Histogram(counts, 1, 5, "score"), width)
    assert max(len(line) for line in lines) <= width
    assert ("█" in lines[0]) == (max(counts) > 0)
    assert lines[-1].strip() == "score"


@given(
    st.lists(st.tuples(st.floats(0, 6), st.floats(0, 6)), max_size=50),
    st.integers(40, 160),
)
def test_a_scatter_fits(points: list[tuple[float, float]], width: int):
    x, y = [p[0] for p in points], [p[1] for p in points]
    assert max(len(line) for line in lines_of(Scatter(x, y, "true", "predicted", (1, 5)), width)) <= width


def test_a_scatter_puts_a_point_in_its_corner():
    lines = lines_of(Scatter([5.0], [1.0], "true", "predicted", (1, 5), height=4))
    field = [line.split("┤")[-1].split("│")[-1] for line in lines[1:5]]
    assert field[3].rstrip()[-1] == chr(0x2880)


@given(st.lists(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=20), min_size=1, max_size=16), st.integers(50, 160))
def test_every_curve_is_named_where_it_ends(curves: list[list[float]], width: int):
    named = {f"run {i}": (list(range(len(y))), y) for i, y in enumerate(curves)}
    lines = lines_of(Lines(named, "epochs", "PC"), width)
    assert max(len(line) for line in lines) <= width
    assert all(any(line.endswith(name) for line in lines) for name in named)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=9), NUMBERS, min_size=1), st.integers(40, 160))
def test_dots_fit_and_name_every_value(values: dict[str, float], width: int):
    lines = lines_of(Dots(values, "PC"), width)
    assert max(len(line) for line in lines) <= width
    assert [(line.split()[0], line.split()[-1]) for line in lines[:-1]] == [
        (name, f"{value:.3g}") for name, value in values.items()
    ]


def test_dots_lie_in_their_intervals_on_one_scale():
    lines = lines_of(Dots({"a": 2, "bc": 5}, "score", {"a": (1, 3)}, reference=4, scale=(1, 5)), 14)
    assert lines == [" a ━━●━╸─│── 2", "bc ──────│─● 5", "score"]


def test_a_matrix_is_dark_where_values_are_far_from_zero():
    assert lines_of(Matrix([[1, -0.5], [-0.5, 1]], ["ab", "c"])) == ["ab █▒", " c ▒█"]


# figures in text


def test_numbers_say_when_there_is_none():
    assert [number(v) for v in (None, float("nan"), 1234.5678)] == ["–", "–", "1,234.568"]
    assert number(0.5, 2, sign=True) == "+0.50"


def test_a_share_is_100_only_when_nothing_is_left_out():
    assert [share(0, 9), share(9, 9), share(5499, 5500), share(1, 5500), share(0, 0)] == [
        "0 %", "100 %", "99.9 %", "0.1 %", "–",
    ]  # fmt: skip


def test_durations_read_as_people_say_them():
    assert [duration(s) for s in (None, 1.234, 60, 599.7, 7260)] == ["–", "1.2 s", "60 s", "10 min 00", "2 h 01"]


def test_json_leaves_out_what_only_pictures_need():
    @dataclass(frozen=True)
    class Example:
        path: Path
        values: dict[str, float]
        frame: pl.DataFrame
        bulky: tuple[int, ...] = for_pictures()

    example = Example(Path("a/b"), {"x": float("nan"), "y": float("inf")}, pl.DataFrame({"n": [1, None]}), (1, 2))
    assert json.loads(to_json("example", example)) == {
        "schema": "kallos.report.example/1",
        "path": "a/b",
        "values": {"x": None, "y": None},
        "frame": [{"n": 1}, {"n": None}],
    }
    assert json.loads(to_json("list", [1.5])) == {"schema": "kallos.report.list/1", "list": [1.5]}


# a prediction


def test_the_panel_holds_everything_in_80_columns(predicted: Prediction):
    lines = lines_of(prediction.render(predicted), 100)
    text = " ".join(" ".join(lines).replace("│", " ").split())
    assert max(len(line) for line in lines) <= 80
    for expected in (
        "photo.jpg",
        "3.42",
        "on 1-7 4.63",
        "model a 4.75",
        "symmetry",
        "22 %",
        "the largest was taken",
        *REGIONS,
    ):
        assert expected in text
    assert prediction.MEANING in text
    assert "run-1, trained on one, two (attractive, one-5fold, fold 2)." in text
    assert "On its 30 test photos the model was not clearly better than always predicting the mean" in text


def test_a_prediction_without_model_b_has_a_panel_and_an_overlay(predicted: Prediction):
    plain = replace(predicted, sub_scores={}, weights={}, notes=())
    assert "region" not in "".join(lines_of(prediction.render(plain)))
    assert draw_overlay(np.zeros((350, 350, 3), np.uint8), plain).shape == (700, 1120, 3)


def test_the_panel_leads_with_the_raters_own_scale(predicted: Prediction):
    lines = [" ".join(line.strip("│ ").split()) for line in lines_of(prediction.render(predicted))]
    first, interval, beside, a, _ = lines[2:7]
    assert first.startswith("score on 1-7 4.63 1 ")
    assert interval.startswith("90 % interval 3.85 to 5.35, ")
    assert beside == "on 1-5 3.42 2.90 to 3.90, the scale that models work on"
    assert a.startswith("model a 4.75 1 ")
    assert any(line.startswith("region sub-score 1 to 7 ") for line in lines)
    assert any(line.startswith(f"{REGIONS[0]} 1.00 ") for line in lines)
    assert any(line.startswith(f"{REGIONS[-1]} 7.00 ") for line in lines)


def test_on_the_scale_of_models_the_panel_names_it_once(predicted: Prediction):
    for scale in ((1.0, 5.0), None):
        same = replace(predicted, origin=replace(predicted.origin, scale=scale, comparisons=()))
        text = " ".join(" ".join(lines_of(prediction.render(same))).replace("│", " ").split())
        assert "score on 1-5 3.42 1 " in text
        assert text.count("1-5") == 1


def test_lines_of_many_photos_lead_with_the_raters_own_scale(predicted: Prediction):
    heading, line, *_ = (text.plain for text in prediction.lines([predicted], [predicted.photo]))
    assert heading == "photo      score on 1-7  90 % interval  on 1-5"
    assert line.split()[:6] == ["photo.jpg", "4.63", "3.85", "to", "5.35", "3.42"]
    assert heading.index("on 1-5") + len("on 1-5") == line.index("3.42") + len("3.42")
    same = replace(predicted, origin=replace(predicted.origin, scale=(1.0, 5.0)))
    heading, line, *_ = (text.plain for text in prediction.lines([same], [same.photo]))
    assert heading.split() == ["photo", "score", "on", "1-5", "90", "%", "interval"]
    assert line.split()[:5] == ["photo.jpg", "3.42", "2.90", "to", "3.90"]


def test_an_overlay_leads_with_the_raters_own_scale(predicted: Prediction, monkeypatch: pytest.MonkeyPatch):
    written = []
    monkeypatch.setattr(
        prediction_overlay._Sheet, "text", lambda _, x, y, text, *rest, **named: written.append(text) or x
    )
    draw_overlay(np.zeros((350, 350, 3), np.uint8), predicted)
    assert written[:4] == ["score", "4.63", "on 1 to 7", "3.42 on 1-5"]
    assert written[4].startswith("90 % interval 3.85 to 5.35 ")
    assert {"1.00", "7.00"} <= set(written)


def test_without_an_interval_lines_and_overlay_show_none(predicted: Prediction, monkeypatch: pytest.MonkeyPatch):
    without = replace(predicted, low=None, high=None)
    _, line, *_ = (text.plain for text in prediction.lines([without], [without.photo]))
    assert line.split()[:4] == ["photo.jpg", "4.63", "–", "3.42"]
    written = []
    monkeypatch.setattr(
        prediction_overlay._Sheet, "text", lambda _, x, y, text, *rest, **named: written.append(text) or x
    )
    draw_overlay(np.zeros((350, 350, 3), np.uint8), without)
    assert written[4].startswith("no 90 % interval ")


def test_a_prediction_becomes_json(predicted: Prediction):
    as_list = [prediction.as_dict(predicted.photo, predicted)]
    (plain,) = json.loads(to_json("predictions", as_list))["predictions"]
    assert plain["score"] == predicted.score
    assert plain["features"] == {"eye_width": 0.2, "unmeasured": None}
    assert (plain["origin"]["trait"], plain["own_scale"]["score"]) == ("attractive", pytest.approx(4.6258))
    assert (plain["photo"], plain["problem"]) == ("somewhere/photo.jpg", None)
    assert "landmarks" not in plain


def test_the_models_of_a_panel_add_up_to_its_score(predicted: Prediction):
    def shown(which: Prediction) -> str:
        return " ".join(" ".join(lines_of(prediction.render(which))).replace("│", " ").split())

    text = shown(predicted)
    score, *members = (float(re.search(rf"{name} ([0-9.]+)", text)[1]) for name in ("1-7", "model a", "model b"))
    terms = "0.500 × a + 0.500 × b + 0.12 (correction of the combiner) - 0.09 (bias of the group)"
    assert f"score = {terms}" in text
    assert sum(members) / 2 + 0.12 - 0.09 == pytest.approx(score, abs=0.011)
    assert "0.33 (what lies beyond the scale)" in shown(replace(predicted, score=predicted.score - 0.22))
    unweighted = replace(predicted, combined_by={"a": 1.0, "b": 0.0004}, score=3.5172)
    assert "score = 1.000 × a + 0.12" in shown(unweighted)


@pytest.mark.parametrize(
    ("size", "expected"), [((350, 350), (700, 1120)), ((900, 450), (1400, 1120)), ((3000, 2000), (2100, 2240))]
)
def test_an_overlay_is_large_enough_to_read(predicted: Prediction, size: tuple[int, int], expected: tuple[int, int]):
    picture = draw_overlay(np.full((*size, 3), 128, np.uint8), predicted)
    assert picture.dtype == np.uint8
    assert picture.shape == (*expected, 3)


def test_an_overlay_draws_each_region_in_its_colour_where_the_landmarks_are(predicted: Prediction):
    photo = np.full((350, 350, 3), 40, np.uint8)
    picture = draw_overlay(photo, predicted).astype(int)
    face, panel = picture[:, :700], picture[:, 700:]
    for region in REGIONS:
        colour = REGION_COLOURS[region]
        wanted = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
        for part in (face, panel):
            assert (np.abs(part - wanted).max(axis=2) < 12).any(), region
    x, y = (2 * predicted.landmarks[:, :2]).min(axis=0)
    assert (face[: int(y) - 8] == 40).all()
    assert (face[:, : int(x) - 8] == 40).all()
    assert (photo == 40).all()


# ingest, extraction, SQL and tables


def test_an_ingest_names_counts_changes_and_offenders():
    findings = pl.DataFrame(
        {"data_set": "m", "kind": "missing_image", "subject": [f"{i}.jpg" for i in range(5)], "detail": "no file"}
    )
    summary = IngestSummary("m", 10, 9, 60, 6, 0, {"m-5fold": 5}, {"AF": 10}, {"images": 10, "scores": 0}, findings)
    text = "\n".join(lines_of(ingest.render(summary, "kallos extract")))
    for expected in (
        "10 images, 9 mean scores",
        "60 single ratings by 6 raters",
        "m-5fold (5 folds)",
        "images 10",
        "2 more",
        "Next: kallos extract.",
    ):
        assert expected in text
    again = replace(summary, changed={"images": 0}, findings=findings.clear())
    assert "nothing was new" in "\n".join(lines_of(ingest.render(again, "nothing")))


def test_an_extraction_says_what_failed_and_why(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb", 30, trained=False) as store:
        report = summary(store)
    assert report.images == 30
    assert [(r.status, r.images, r.first) for r in report.remarks] == [("no_face", 1, "made-up/0029.png")]
    text = "\n".join(lines_of(render_extraction(report)))
    assert "1 no_face" in text
    assert "no face was found" in text


def test_rows_are_cut_with_a_word_about_the_rest():
    text = "\n".join(lines_of(sql_rows.render(pl.DataFrame({"n": range(250), "text": "x" * 80, "none": None}))))
    assert "250 rows, the first 100 are shown" in text
    assert "x" * 60 not in text
    assert "NULL" in text
    assert max(len(line) for line in text.splitlines()) <= 80


def test_square_brackets_in_values_are_no_markup():
    assert "[/red]" in "\n".join(lines_of(sql_rows.render(pl.DataFrame({"[bold]": ["[/red]"]}))))


def test_tables_list_every_table_and_the_columns_of_one(tmp_path: Path):
    with open_store(tmp_path / "s.duckdb") as store:
        everything, one = tables.data(store, None), tables.data(store, "scores")
        with pytest.raises(UsageError, match="scores"):
            tables.data(store, "other")
    text = "\n".join(lines_of(tables.render(everything)))
    assert all(name in text for name in everything["table"].unique())
    text = "\n".join(lines_of(tables.render(one)))
    assert all(name in text for name in one["column"])
