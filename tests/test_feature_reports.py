"""`kallos features` and docs/features.md: the definitions in full, and one feature's values as the store has them."""

import io
import math
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console, RenderableType

from extractors.definitions import catalogue, definitions
from extractors.regions import FEATURE_REGIONS
from featurestore.errors import StoreError, UsageError
from featurestore.normalization import averageness
from featurestore.opening import open_store
from featurestore.store import Store
from kallos.docs_pages import features as features_page
from reports.pages import feature_catalogue, one_feature
from reports.pages.one_feature import BINS, fisher_interval
from reports.render.bars import Spark
from reports.stats.bootstrap import Estimate
from reports.stats.estimates import split_estimate
from tests.command import kallos, kallos_ok
from tests.synthetic_store import make_store

PAGE = Path(__file__).parent.parent / "docs" / "features.md"
NAMES = [d.name for d in catalogue()]


def text_of(renderable: RenderableType, width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    console.print(renderable)
    return console.file.getvalue()


def spaceless(text: str) -> str:
    return re.sub(r"\s+", "", text)


# the catalogue


def test_averageness_is_a_feature_too():
    assert [*(d.name for d in definitions()), "averageness"] == NAMES
    assert feature_catalogue.data("symmetry").features[-1].name == "averageness"


def test_the_list_needs_no_store_and_has_every_feature_by_region(tmp_path):
    options = ("--store", tmp_path / "none.duckdb")
    listed = kallos_ok("features", "--json", *options).json()
    assert listed["schema"] == "kallos.report.catalogue/1"
    assert sorted(f["name"] for f in listed["features"]) == sorted(NAMES)
    regions = [f["region"] for f in listed["features"]]
    assert regions == sorted(regions, key=FEATURE_REGIONS.index)
    of_nose = kallos_ok("features", "--region", "nose", "--json", *options).json()["features"]
    assert of_nose == [f for f in listed["features"] if f["region"] == "nose"]
    assert "formula, source" in kallos_ok("features", *options).out


@pytest.mark.parametrize("width", [80, 140])
@pytest.mark.parametrize("region", FEATURE_REGIONS)
def test_the_list_fits_and_loses_no_name_unit_range_or_formula(region, width):
    lines = text_of(feature_catalogue.render(feature_catalogue.data(region)), width).splitlines()
    assert max(map(len, lines)) <= width
    edge = next(line.index("formula, source") for line in lines if "formula, source" in line)
    names, formulas = ("\n".join(line[part] for line in lines) for part in (slice(edge), slice(edge, None)))
    for d in feature_catalogue.data(region).features:
        assert f" {d.name} " in names
        assert f"{d.low:g} … {d.high:g} {d.unit} " in names
        assert spaceless(d.formula) in spaceless(formulas)
        assert spaceless(d.source)[:30] in spaceless(formulas)


def test_unknown_names_and_regions_are_refused_with_a_remedy():
    for arguments, phrase in [
        (("jaw_widht",), "jaw_width"),
        (("eye_width",), "right_eye_width"),
        (("zzz",), "`kallos features` lists them"),
        (("--region", "ears"), "eyes, brows, nose"),
        (("jaw_width", "--region", "jawline"), "either its name or --region"),
    ]:
        answer = kallos("features", *arguments)
        assert answer.code == UsageError.exit_code
        assert answer.err.startswith("kallos: ")
        assert phrase in answer.err
        assert answer.out == ""


# one feature


def test_without_a_store_there_is_the_definition_alone(tmp_path):
    options = ("--store", tmp_path / "none.duckdb")
    answer = kallos_ok("features", "jaw_width", *options)
    assert "|right_gonion - left_gonion|" in answer.out
    assert "kallos extract" in answer.out
    assert "none.duckdb" in answer.err
    plain = kallos_ok("features", "jaw_width", "--json", *options).json()
    assert plain["groups"] == []
    assert plain["definition"]["version"] == 1


def test_a_file_that_is_no_store_is_an_error(tmp_path):
    (tmp_path / "letter").write_text("dear reader")
    assert kallos("features", "jaw_width", "--store", tmp_path / "letter").code == StoreError.exit_code


def test_before_extraction_there_are_no_values(tmp_path):
    with make_store(tmp_path / "s.duckdb", 12, extracted=False, trained=False) as store:
        assert one_feature.data(store, "jaw_width").groups == ()
        assert one_feature.data(store, "averageness").groups == ()


@pytest.fixture(scope="module")
def opened(workspace):
    with open_store(workspace.store, read_only=True) as store:
        yield store


@pytest.mark.parametrize("name", ["jaw_width", "chin_sharpness", "brow_arch_asymmetry"])
def test_the_figures_are_those_of_sql(opened, name):
    report = one_feature.data(opened, name)
    d = report.definition
    query = f"""
        SELECT coalesce(subset, 'all'), count(*), count(*) FILTER (isfinite({name})), avg({name}), stddev_pop({name}),
               count(*) FILTER (NOT {name} BETWEEN {d.low} AND {d.high}), corr({name}, score)
        FROM geometric_features JOIN images USING (image_id) JOIN scores USING (image_id)
        GROUP BY ROLLUP (subset) ORDER BY subset NULLS FIRST"""
    expected = opened.frame(query).rows()
    assert len(expected) > 2
    assert [g.name for g in report.groups] == [row[0] for row in expected]
    for group, (_, images, measured, mean, sd, implausible, correlation) in zip(report.groups, expected, strict=True):
        assert (group.images, group.measured, group.implausible) == (images, measured, implausible)
        assert (group.mean, group.sd, group.correlation) == pytest.approx((mean, sd, correlation))
        assert (sum(group.counts), len(group.counts)) == (measured, BINS)
        assert group.low < group.correlation < group.high


def test_averageness_is_shown_in_its_own_unit(opened):
    protocol, fold = opened.value("SELECT min(normalization) FROM normalizations").split("/")
    train = opened.frame(
        "SELECT shape FROM shapes JOIN splits USING (image_id) WHERE protocol = $protocol AND fold = $fold AND role = 'train'",
        protocol=protocol,
        fold=int(fold),
    )
    shapes = opened.frame("SELECT shape FROM shapes")["shape"].to_numpy()
    distances = averageness(shapes, train["shape"].to_numpy().mean(axis=0))
    everything = one_feature.data(opened, "averageness").groups[0]
    assert everything.measured == len(shapes)
    assert (everything.mean, everything.sd) == pytest.approx((distances.mean(), distances.std()), rel=1e-4)


@pytest.mark.parametrize("width", [80, 140])
def test_one_feature_fits_the_terminal(opened, width):
    for name in ("averageness", "outer_fifths", "right_under_eye_sharpness", "eyes_shape_asymmetry"):
        report = one_feature.data(opened, name)
        text = text_of(one_feature.render(report), width)
        assert max(map(len, text.splitlines())) <= width
        assert "…" not in text.replace(" … ", "")
        for phrase in (report.definition.formula, ", ".join(report.definition.points), report.definition.source):
            assert spaceless(phrase) in spaceless(text)
        for group in report.groups:
            for part in split_estimate(Estimate(group.correlation, group.low, group.high), sign=True):
                assert part in text


def with_values(store: Store, name: str, value: str) -> one_feature.FeatureReport:
    """The report of a feature that has the value of a SQL expression in each image."""
    store.execute(f"CREATE OR REPLACE VIEW geometric_features AS SELECT image_id, {value} AS {name} FROM images")
    return one_feature.data(store, name)


@pytest.fixture
def synthetic(tmp_path):
    with make_store(tmp_path / "s.duckdb", 40, trained=False) as store:
        yield store


def test_values_that_cannot_be_measured_or_are_implausible_are_counted(synthetic):
    value = "CASE right(image_id, 8) WHEN '0000.png' THEN 'nan'::DOUBLE WHEN '0001.png' THEN 99 ELSE 0.9 END"
    everything, *subsets = with_values(synthetic, "jaw_width", value).groups
    assert (everything.images, everything.measured, everything.scored, everything.implausible) == (40, 39, 39, 1)
    assert sum(g.images for g in subsets) == 40
    assert sum(g.implausible for g in subsets) == 1


def test_a_feature_that_no_image_has_is_shown_without_figures(synthetic):
    report = with_values(synthetic, "jaw_width", "'nan'::DOUBLE")
    assert {(g.measured, g.scored, g.implausible) for g in report.groups} == {(0, 0, 0)}
    assert all(math.isnan(v) for g in report.groups for v in (g.mean, g.correlation, g.low, g.high))
    text = text_of(one_feature.render(report), 80)
    assert "100 %" in text
    assert "nan" not in text


def test_a_constant_feature_has_a_spread_and_no_correlation(synthetic):
    report = with_values(synthetic, "jaw_width", "0.9")
    assert report.low < 0.9 < report.high
    assert max(report.groups[0].counts) == 40
    assert math.isnan(report.groups[0].correlation)
    assert "–" in text_of(one_feature.render(report), 80)


def test_values_of_an_older_formula_are_said_to_be(synthetic):
    report = one_feature.data(synthetic, "jaw_width")
    text = text_of(one_feature.render(replace(report, stored_version=0)), 80)
    assert "1, values of 0: run `kallos extract`" in text
    assert "values of" not in text_of(one_feature.render(replace(report, stored_version=1)), 80)


def test_fishers_interval():
    assert fisher_interval(0.5, 28) == pytest.approx((0.1560, 0.7358), abs=1e-4)
    assert fisher_interval(1.0, 10) == (1.0, 1.0)
    assert all(math.isnan(v) for v in (*fisher_interval(0.5, 3), *fisher_interval(math.nan, 30)))


def test_fishers_interval_holds_the_truth_95_times_in_100():
    random, truth = np.random.default_rng(0), 0.6
    pairs = random.multivariate_normal([0, 0], [[1, truth], [truth, 1]], size=(2000, 30))
    intervals = [fisher_interval(float(np.corrcoef(sample.T)[0, 1]), 30) for sample in pairs]
    assert np.mean([low < truth < high for low, high in intervals]) == pytest.approx(0.95, abs=0.015)


def test_a_plot_of_two_lines_has_its_peak_in_the_upper_one():
    assert str(Spark([0, 1, 50, 100], height=2)) == "   █\n ▁██"


# the page


def test_the_page_is_what_the_definitions_say():
    assert PAGE.read_text(encoding="utf-8") == features_page.markdown(), "run `make docs`"


def test_the_page_has_every_feature_in_a_whole_item():
    whole = r"^- `(\w+)`: \S[^\n]*?\. Formula: `[^`]+`\. Plausible: .+? … .+?\. Source: .+?\. Invariances: .+?\. Version: \d+$"
    sections = PAGE.read_text(encoding="utf-8").split("\n## ")[1:]
    items = [re.sub(r"\s+", " ", item) for section in sections for item in re.split(r"\n(?=- )", section.strip())[1:]]
    assert sorted(re.match(whole, item)[1] for item in items) == sorted(NAMES)


def test_the_page_explains_the_measures_that_formulas_name():
    text = features_page.markdown()
    for measure in ("rise(a, b)", "across(a, b)", "behind(a, b)", "angle(a, vertex, b)"):
        assert f"- `{measure}`: " in text


def test_the_page_is_written_by_one_command(tmp_path):
    page = tmp_path / "features.md"
    subprocess.run([sys.executable, "-m", "kallos.docs_pages.features", str(page)], check=True)
    assert page.read_text(encoding="utf-8") == features_page.markdown()
