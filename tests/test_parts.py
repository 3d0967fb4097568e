"""The parts of a prediction: whose scores are given, and what a folder must hold to be read as parts."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ensemble.bundle import FORMAT, KIND, MANIFEST, PHOTOS, export, open_bundle
from ensemble.parts import Parts, load_normalization, parts_of_store, save_normalization
from ensemble.training_photos import TrainingPhotos
from extractors.errors import InputError
from extractors.file_hash import sha256_of_file
from featurestore.errors import BundleError, PrerequisiteError, UsageError
from featurestore.normalization import Normalization
from featurestore.outputs import active_versions, encoder_folder
from featurestore.recalibration import Recalibration
from featurestore.records import Comparison
from featurestore.scale import Scale
from featurestore.scale_maps import ScaleMap, ScaleMaps
from featurestore.traits import Target
from tests.synthetic_store import MODEL_NOISE, PROTOCOL, make_store

OWN = Scale(1, 7)
BENT = ScaleMap(Scale(0, 100), np.array([1.0, 3.0, 5.0]), np.array([1.0, 2.0, 5.0]))
LINKED = ScaleMaps({"one": ScaleMap.reference(OWN), "two": BENT})
AT, ENDS = np.array([3.0]), (np.array([2.0]), np.array([4.0]))


def normalization(**other) -> Normalization:
    values = {
        "name": "p/1",
        "features": ("jaw_width", "averageness"),
        "regions": ("jawline", "symmetry"),
        "mean": np.array([0.1, 1 / 3]),
        "sd": np.array([0.2, 1.0]),
        "mean_shape": np.array([0.1, 0.7], dtype=np.float32),
    }
    return Normalization(**(values | other))


def parts(maps: ScaleMaps = LINKED, data_sets=("one", "two"), **other) -> Parts:
    trained_on = {"data_sets": dict.fromkeys(data_sets, "free"), "protocol": "p", "fold": 2, "manifest_id": "m"}
    trained_on |= {"runs": {"ensemble": "run"}, "weights": {"a": "none"}, "encoder": "tiny"}
    target, photos = Target("beauty", OWN), TrainingPhotos.from_hashes(["aa", "bb"], "m")
    rest = {"folders": {}, "versions": {}, "uses": None, "evaluations": {}} | other
    return Parts(target, normalization=normalization(), trained_on=trained_on, photos=photos, maps=maps, **rest)


def test_scores_are_those_of_the_first_data_set_unless_another_is_named():
    for default in (parts(), parts().scored_for(None), parts().scored_for("one")):
        assert default.output.from_shared(AT) == AT
        assert (default.scale, default.origin.scored_for) == (OWN, "one")
    other = parts().scored_for("two")
    assert other.output.from_shared(AT) == [2.0]
    assert [float(end[0]) for end in other.output_ends(AT, ENDS)] == [1.5, 3.5]
    assert (other.scale, other.origin.scored_for) == (Scale(0, 100), "two")
    assert (other.origin.model, other.origin.protocol, other.origin.fold) == ("run", "p", 2)
    with pytest.raises(UsageError, match="choose a data set from one, two"):
        parts().scored_for("three")


def test_models_of_one_data_set_give_scores_as_they_are():
    alone = parts(ScaleMaps(), ["one"])
    assert alone.output is None
    assert alone.scored_for("one").output_ends(AT, ENDS) == ENDS
    assert alone.scale == OWN


def test_scores_are_the_models_own_unless_they_are_mapped():
    one, unlinked = parts(ScaleMaps(), ["one"]), parts(ScaleMaps())
    for own in (parts(), parts().scored_for("one"), one, one.scored_for("one"), unlinked):
        assert own.gives_own_scores
    for maps in (LINKED, ScaleMaps()):
        assert not parts(maps, recalibration=Recalibration(BENT, 2.0), data_set="theirs").gives_own_scores
    assert not parts().scored_for("two").gives_own_scores


def test_what_an_earlier_kallos_did_not_link_can_only_be_scored_as_it_is():
    unlinked = parts(ScaleMaps())
    assert unlinked.scored_for(None).output is None
    with pytest.raises(PrerequisiteError, match=r"did not link .* of one, two"):
        unlinked.scored_for("two")


def test_a_recalibration_decides_which_scores_are_given():
    fitted = parts(recalibration=Recalibration(BENT, 2.0), data_set="theirs")
    assert fitted.output.from_shared(AT) == [2.0]
    # 2 becomes 1.5 and 4 becomes 3.5, on a middle of 2 and twice as wide
    assert [float(end[0]) for end in fitted.output_ends(AT, ENDS)] == [1.0, 5.0]
    assert fitted.origin.scored_for == "theirs"


def test_statistics_survive_the_way_through_a_file_and_others_are_refused(tmp_path: Path):
    saved, file = normalization(), tmp_path / "n.json"
    save_normalization(saved, file)
    again = load_normalization(file)
    assert (again.name, again.features, again.regions) == (saved.name, saved.features, saved.regions)
    for name in ("mean", "sd", "mean_shape"):
        assert np.array_equal(getattr(again, name), getattr(saved, name))
        assert getattr(again, name).dtype == getattr(saved, name).dtype
    content = json.loads(file.read_text())
    shorter = [{name: content[name][:1]} for name in ("features", "regions", "mean", "sd")]
    for wrong in (*shorter, {"sd": [0.2, 0.0]}, {"sd": [-1.0, 1.0]}):
        file.write_text(json.dumps(content | wrong))
        with pytest.raises(BundleError):
            load_normalization(file)


def test_parts_of_a_store_are_those_of_the_fold_that_was_combined_last(tmp_path: Path):
    with make_store(tmp_path / "s.duckdb") as store:
        store.execute("UPDATE runs SET encoder = 'tiny'")
        others = 'json_merge_patch(versions, \'{"embedding:other": "1"}\')'
        store.execute(f"UPDATE manifests SET versions = {others}")
        with pytest.raises(PrerequisiteError, match="A trained model is not in"):
            parts_of_store(store)
        for model in MODEL_NOISE:
            (store.runs_folder / f"{model}-1").mkdir(parents=True)
        with pytest.raises(PrerequisiteError, match="The encoder of the embeddings is not in"):
            parts_of_store(store)
        versions = active_versions(store)
        encoder_folder(store, versions["embedding:tiny"]).mkdir(parents=True)
        for chosen in ((), (PROTOCOL,), (None, 1), (PROTOCOL, 1)):
            found = parts_of_store(store, *chosen)
            assert (found.origin.protocol, found.origin.fold) == (PROTOCOL, 1)
        assert found.versions == {name: version for name, version in versions.items() if name != "fingerprint"}
        assert {*found.folders} >= {"a", "b", "ensemble", "encoder"}
        assert found.normalization.name == f"{PROTOCOL}/1"
        assert len(found.photos.content) == 5 * 39
        assert found.evaluations["ensemble"]["n"] == 40
        assert found.evaluations["ensemble"]["mae"] == store.value(
            "SELECT mae FROM evaluations JOIN runs USING (run_id) WHERE model = 'ensemble' AND role = 'test'"
        )
        store.execute("DELETE FROM evaluations WHERE role = 'test'")
        assert not parts_of_store(store).evaluations
        for none in ((PROTOCOL, 2), ("other", None), (None, 2)):
            with pytest.raises(PrerequisiteError, match="trained ensemble"):
                parts_of_store(store, *none)


def exported(folder: Path, **other) -> Parts:
    """A bundle of folders that hold one file each, and its parts."""
    sources = folder.parent / "models"
    for name in ("ensemble", "encoder"):
        (sources / name).mkdir(parents=True, exist_ok=True)
        for file in ("weights", "model_card.md", ".DS_Store"):
            (sources / name / file).write_text(name)
    compared = Comparison("mean", 40, 0.3, 0.5, -0.25, -0.15, True)
    built = parts(comparisons=(compared,))
    built = Parts(**(vars(built) | {"folders": {name: sources / name for name in ("ensemble", "encoder")}} | other))
    export(built, {"model_card.md": "# A card"}, folder)
    return built


def changed(folder: Path, **other) -> None:
    """Another manifest."""
    content = json.loads((folder / MANIFEST).read_text()) | other
    (folder / MANIFEST).write_text(json.dumps(content))


@pytest.mark.parametrize("scale", [OWN, None])
def test_a_bundle_is_the_parts_that_were_exported(tmp_path: Path, scale):
    bundle = tmp_path / "bundle"
    built = exported(bundle, target=Target("beauty", scale), uses={}, evaluations={"a": {"n": 3, "mae": 0.25}})
    again = open_bundle(bundle)
    assert (again.target, again.uses, again.comparisons) == (built.target, {}, built.comparisons)
    assert (again.trained_on, again.evaluations, again.photos) == (built.trained_on, built.evaluations, built.photos)
    assert again.maps.as_dict() == built.maps.as_dict()
    assert again.normalization.features == built.normalization.features
    files = sorted(path.relative_to(bundle).as_posix() for path in bundle.rglob("*") if path.is_file())
    models = ["encoder/weights", "ensemble/weights"]
    assert files == [*models, MANIFEST, "model_card.md", "normalization.json", PHOTOS]
    content = json.loads((bundle / MANIFEST).read_text())
    assert (content["parts"], list(content["files"])) == (["encoder", "ensemble"], sorted(set(files) - {MANIFEST}))
    (bundle / ".DS_Store").write_text("left by a file manager")
    open_bundle(bundle)


def test_networks_are_written_as_graphs_unless_it_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    graphs = []
    monkeypatch.setattr("ensemble.bundle.resolve", lambda name: graphs.append)
    for name in ("a", "baseline"):
        (tmp_path / name).mkdir()
    model = parts(folders={name: tmp_path / name for name in ("a", "baseline")})
    export(model, {}, tmp_path / "without", onnx=False)
    assert not graphs
    export(model, {}, tmp_path / "with")
    assert [folder.name for folder in graphs] == ["a"]


def test_a_bundle_of_another_make_is_refused(tmp_path: Path):
    bundle = tmp_path / "bundle"
    exported(bundle, uses={})
    good = (bundle / MANIFEST).read_text()
    for wrong, words in (
        ({"format": f"{KIND}99"}, "has format"),
        ({"parts": ["encoder"]}, "does not hold the parts"),
        ({"parts": ["encoder", "ensemble", "stranger"]}, "does not hold the parts"),
        ({"uses": {}, "versions": {"geometry": "1"}}, "record what its models use"),
        ({"files": json.loads(good)["files"] | {"gone": "0"}}, r"\(gone is missing\)"),
        ({"files": {**json.loads(good)["files"], PHOTOS: "0"}}, rf"\({PHOTOS} has changed\)"),
    ):
        changed(bundle, **wrong)
        with pytest.raises(BundleError, match=words):
            open_bundle(bundle)
        (bundle / MANIFEST).write_text(good)
    changed(bundle, format=f"{KIND}3", uses=None, versions={"geometry": "1"})
    assert open_bundle(bundle).uses is None, "the format before, without a record of what is used"
    (bundle / MANIFEST).write_text(good)
    (bundle / "stranger").write_text("")
    with pytest.raises(BundleError, match=r"\(stranger does not belong there\)"):
        open_bundle(bundle)
    (bundle / "zebra").write_text("")
    with pytest.raises(BundleError, match=r"\(stranger does not belong there\)"):
        open_bundle(bundle)
    (bundle / "zebra").unlink()
    (bundle / "stranger").unlink()
    (bundle / "stranger").symlink_to(bundle / PHOTOS)
    with pytest.raises(BundleError, match="stranger is a link"):
        open_bundle(bundle)
    with pytest.raises(InputError, match="is not a bundle"):
        open_bundle(tmp_path)


def test_comparisons_of_an_earlier_kallos_are_of_test_photos(tmp_path: Path):
    bundle = tmp_path / "bundle"
    exported(bundle, uses={})
    (compared,) = json.loads((bundle / MANIFEST).read_text())["comparisons"]
    del compared["out_of_fold"]
    changed(bundle, comparisons=[compared])
    (again,) = open_bundle(bundle).comparisons
    assert (again.beside, again.n, again.mae, again.mae_beside) == ("mean", 40, 0.3, 0.5)
    assert (again.low, again.high, again.out_of_fold) == (-0.25, -0.15, False)


def test_only_an_unmodified_bundle_or_an_empty_folder_is_replaced(tmp_path: Path):
    bundle = tmp_path / "bundle"
    exported(bundle, uses={})
    changed(bundle, format=f"{KIND}2")
    exported(bundle, uses={})
    assert json.loads((bundle / MANIFEST).read_text())["format"] == FORMAT
    for name in ("other", "file"):
        (tmp_path / name).mkdir() if name == "other" else (tmp_path / name).write_text("mine")
    (tmp_path / "other" / ".DS_Store").write_text("")
    exported(tmp_path / "other", uses={})
    changed(tmp_path / "other", format="another program/1")
    (bundle / "weights").write_text("mine")
    (tmp_path / "models" / ".DS_Store").write_text("")
    for folder in (bundle, tmp_path / "other", tmp_path / "file", tmp_path / "models"):
        before = {path: sha256_of_file(path) for path in (folder, *folder.rglob("*")) if path.is_file()}
        with pytest.raises(InputError, match="holds other files"):
            exported(folder, uses={})
        assert {path: sha256_of_file(path) for path in before} == before
