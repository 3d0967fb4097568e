"""A model stays usable for as long as what it uses is computed the same way, whatever else was added or changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from unittest import mock

import numpy as np
import pytest

from ensemble.bundle import FORMAT, MANIFEST, UNRECORDED, open_bundle
from ensemble.parts import parts_of_store
from ensemble.predictor import Predictor
from extractors import recipes
from extractors.averageness import AVERAGENESS
from extractors.catalogue import GEOMETRIC, Feature
from extractors.outputs import Field, Output
from extractors.recipes import described, differences, had_version
from featurestore import used_versions
from featurestore.errors import BundleError, PrerequisiteError
from featurestore.external_evaluation import external_rows
from featurestore.opening import open_store
from featurestore.schema import SCHEMA_VERSION
from featurestore.store import Store
from featurestore.upkeep.compacting import compact
from kallos.engines.extraction import extract
from kallos.workflows.encoders import known_encoders

NEW = "half_jaw_width"
OUTPUT = Output(
    "geometry",
    "geometric_features",
    "",
    (Field("a", "float64", ""), Field("b", "float64", "")),
    1,
    {"size": 256},
    ("x",),
)


def recipe(output: Output) -> dict[str, object]:
    return json.loads(output.recipe)


def with_fields(output: Output, *names: str) -> Output:
    return replace(output, fields=tuple(Field(name, "float64", "") for name in names))


def with_formula(output: Output, name: str) -> Output:
    """The same with the second version of a feature's formula."""
    return replace(output, fields=tuple(replace(f, version=2) if f.name == name else f for f in output.fields))


@pytest.mark.parametrize(
    ("now", "differing"),
    [
        (OUTPUT, ""),
        (with_fields(OUTPUT, "new", "b", "a"), ""),
        (with_formula(OUTPUT, "b"), ""),
        (with_formula(OUTPUT, "a"), "geometry: another formula of a"),
        (with_fields(OUTPUT, "b"), "geometry: no column a any more"),
        (replace(OUTPUT, code_version=2), "geometry: code version 1 → 2"),
        (replace(OUTPUT, parameters={"size": 224}), "geometry: size 256 → 224"),
        (replace(OUTPUT, inputs=("y",)), "geometry: the landmarks have changed"),
        (replace(OUTPUT, extractor="other"), "geometry: not computed"),
    ],
)
def test_only_what_is_used_counts(now, differing):
    used = {"geometry": recipes.only(recipe(OUTPUT), ["a"])}
    assert described(differences(used, recipes.of_outputs([now]))) == differing


def test_another_averageness_counts(monkeypatch):
    changed = {"normalization": {**recipes.NORMALIZATION["normalization"], "columns": ["averageness@2"]}}
    assert not differences(recipes.NORMALIZATION, {})
    monkeypatch.setattr(recipes, "NORMALIZATION", changed)
    used = {"normalization": {**changed["normalization"], "columns": [AVERAGENESS]}}
    assert described(differences(used, {})) == "normalization: another formula of averageness"


def test_a_whole_version_is_recognised_before_features_were_added():
    later = with_fields(OUTPUT, "new", "a", "between", "b")
    assert had_version(later, OUTPUT.version, ["a", "b", AVERAGENESS])
    assert had_version(OUTPUT, OUTPUT.version, ["a", AVERAGENESS]), "chosen features of a whole version"
    assert not had_version(with_formula(later, "a"), OUTPUT.version, ["a", "b"])
    assert not had_version(with_fields(OUTPUT, "b"), OUTPUT.version, ["a", "b"])


@pytest.fixture
def new_feature(monkeypatch):
    """A feature more, which no model of the workspace has seen."""
    jaw_width = GEOMETRIC["jaw_width"]
    defined = replace(jaw_width.definition, name=NEW)
    monkeypatch.setitem(GEOMETRIC, NEW, Feature(defined, lambda face: jaw_width.measure(face) / 2))


@pytest.fixture
def changed_feature(monkeypatch):
    """Another formula of one that the models use."""
    jaw_width = GEOMETRIC["jaw_width"]
    changed = Feature(replace(jaw_width.definition, version=2), lambda face: jaw_width.measure(face) * 2)
    monkeypatch.setitem(GEOMETRIC, "jaw_width", changed)


def score(parts, photo: Path) -> float:
    with Predictor(parts) as predictor:
        return predictor.predict(photo).score


@pytest.fixture(scope="module")
def expected(workspace):
    return score(open_bundle(workspace.bundle), workspace.portrait)


@pytest.fixture
def of_format_3(workspace, tmp_path):
    """A bundle as the kallos before wrote it."""
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    content = json.loads((bundle / MANIFEST).read_text())
    assert content["format"] == FORMAT
    content |= {"format": UNRECORDED}
    del content["uses"]
    (bundle / MANIFEST).write_text(json.dumps(content))
    return bundle


def test_a_bundle_says_what_it_uses(workspace):
    parts = open_bundle(workspace.bundle)
    features = parts.normalization.features
    columns = [name for used in ("geometry", "skin", "normalization") for name in recipes.names_in(parts.uses[used])]
    assert columns == list(features)
    assert parts.uses["landmarks"]["parameters"].keys() == {"mediapipe", "model", "max_faces", "topology"}
    assert parts.uses["skin"]["parameters"].keys() == {"alignment", "crop_margin", "crop_size"}
    assert parts.versions.keys() < parts.uses.keys()


def test_a_bundle_of_facemesh_is_refused_and_told_what_to_do(workspace, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.copytree(workspace.bundle, bundle)
    content = json.loads((bundle / MANIFEST).read_text())
    content["uses"]["landmarks"]["parameters"] = {"mediapipe": "0.10.21", "max_faces": 4}
    (bundle / MANIFEST).write_text(json.dumps(content))
    with pytest.raises(BundleError) as refusal:
        Predictor(open_bundle(bundle))
    for words in ("mediapipe 0.10.21 → 0.10.32", "topology None → mediapipe-478@1", "kallos extract", "train again"):
        assert words in str(refusal.value)


def test_a_new_feature_does_not_matter_to_a_bundle(workspace, expected, new_feature):
    assert score(open_bundle(workspace.bundle), workspace.portrait) == expected


def test_a_changed_formula_is_refused_by_name(workspace, changed_feature):
    with pytest.raises(BundleError, match=r"geometry: another formula of jaw_width.*kallos extract"):
        Predictor(open_bundle(workspace.bundle))


def test_a_feature_that_is_gone_is_refused_by_name(workspace):
    # the registry gets its order back as well, which versions depend on
    with mock.patch.dict(GEOMETRIC), pytest.raises(BundleError, match=r"jaw_width, which this kallos does not compute"):
        del GEOMETRIC["jaw_width"]
        Predictor(open_bundle(workspace.bundle))


def test_a_bundle_of_the_format_before_is_opened(workspace, of_format_3, expected):
    assert open_bundle(of_format_3).uses is None
    assert score(open_bundle(of_format_3), workspace.portrait) == expected


def test_a_new_feature_does_not_matter_to_a_bundle_of_the_format_before(workspace, of_format_3, expected, new_feature):
    assert score(open_bundle(of_format_3), workspace.portrait) == expected


def test_a_changed_formula_is_refused_in_a_bundle_of_the_format_before(of_format_3, changed_feature):
    with pytest.raises(BundleError, match=r"geometry: another version.*kallos extract"):
        Predictor(open_bundle(of_format_3))


@pytest.fixture
def store(workspace, tmp_path):
    """A copy of the trained store, with its runs."""
    path = tmp_path / "kallos.duckdb"
    shutil.copy(workspace.store, path)
    shutil.copytree(workspace.store.with_suffix(".runs"), path.with_suffix(".runs"))
    return path


def extract_again(store: Store) -> None:
    extract(store, known_encoders(store), lambda *_: None)


def batch_of_demo(store: Store, parts):
    """The portraits as models of another data set would see them."""
    features = parts.normalization.features
    rows = external_rows(store, "demo", parts.target.trait, parts.versions, parts.uses, features, training_photos=set())
    return rows.rows.batch(parts.normalization, parts.normalization.transform(rows.rows.raw, rows.rows.shapes))


def test_runs_of_a_store_are_usable_after_a_new_feature_was_extracted(workspace, store, new_feature):
    with open_store(store) as opened:
        parts = parts_of_store(opened)
        expected, before = score(parts, workspace.portrait), batch_of_demo(opened, parts)
        extract_again(opened)
        assert NEW in opened.frame("FROM geometric_features LIMIT 1").columns
        parts = parts_of_store(opened)
        assert score(parts, workspace.portrait) == expected
        after = batch_of_demo(opened, parts)
        assert after.image_ids == before.image_ids
        assert after.feature_names == before.feature_names
        assert np.array_equal(after.features, before.features, equal_nan=True)


def test_runs_of_a_store_are_refused_after_a_formula_that_they_use_changed(store, changed_feature):
    with open_store(store) as opened:
        extract_again(opened)
        parts = parts_of_store(opened)
        with pytest.raises(BundleError, match="another formula of jaw_width"):
            Predictor(parts)
        with pytest.raises(PrerequisiteError, match=r"another formula of jaw_width.*kallos rollback geometry"):
            external_rows(
                opened,
                "demo",
                parts.target.trait,
                parts.versions,
                parts.uses,
                parts.normalization.features,
                training_photos=set(),
            )


def test_what_runs_use_outlives_the_versions(workspace, store, new_feature):
    with open_store(store) as opened:
        before = used_versions.of_run(opened, parts_of_store(opened).run_ids["ensemble"])
        extract_again(opened)
    assert compact(store).versions
    with open_store(store, read_only=True) as opened:
        parts = parts_of_store(opened)
        assert parts.uses == before
        assert (
            used_versions.of_manifest(opened, str(parts.trained_on["manifest_id"]), str(parts.trained_on["encoder"]))
            is None
        )
        assert np.isfinite(score(parts, workspace.portrait))


def test_a_store_of_the_schema_before_records_what_its_runs_use(store):
    with open_store(store) as opened:
        recorded = opened.frame("SELECT run_id, uses FROM runs ORDER BY ALL").rows()
        shapes = opened.frame("SELECT statistics_id, mean_shape FROM statistics ORDER BY ALL").rows()
        z_scores = opened.frame("FROM normalized_values ORDER BY ALL")
        length = opened.value("SELECT any_value(len(mean_shape)) FROM statistics")
        opened.execute("ALTER TABLE runs DROP COLUMN uses")
        opened.execute("ALTER TABLE locations DROP COLUMN files")
        opened.execute("DROP TABLE normalized_values")
        opened.execute("DROP TABLE scale_maps")
        for later in ("selections", "personal_ratings", "validations", "plans"):
            opened.execute(f"DROP TABLE {later}")
        opened.execute(
            "CREATE TABLE former AS SELECT run_id, subset, n, bias, half_widths[1] AS half_width, level FROM intervals; "
            "DROP TABLE intervals; ALTER TABLE former RENAME TO intervals"
        )
        opened.execute(f"ALTER TABLE statistics ALTER COLUMN mean_shape TYPE FLOAT[{length}]")
        opened.execute("UPDATE store_info SET schema_version = 5")
    with open_store(store) as opened:
        assert opened.value("SELECT schema_version FROM store_info") == SCHEMA_VERSION
        assert opened.frame("SELECT statistics_id, mean_shape FROM statistics ORDER BY ALL").rows() == shapes
        found = opened.frame("SELECT run_id, uses FROM runs ORDER BY ALL").rows()
        assert [run_id for run_id, _ in found] == [run_id for run_id, _ in recorded]
        for (_, used), (_, expected) in zip(found, recorded, strict=True):
            # averageness had no version of its own then
            assert json.loads(used) | dict(recipes.NORMALIZATION) == json.loads(expected)
        assert any("embedding:mobilenet_v3_small" in used for _, used in found)
        assert not all("embedding:mobilenet_v3_small" in used for _, used in found)
        assert len(z_scores)
        assert opened.frame("FROM normalized_values ORDER BY ALL").equals(z_scores)
