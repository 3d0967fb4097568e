"""Bundles of `tests/hostile/bundles.py`: each predicts or is one sentence, whatever the models are told."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from extractors.errors import InputError, KallosError
from featurestore.errors import BundleError, PrerequisiteError
from models.baseline.trees import read_trees
from tests.command import kallos, kallos_ok
from tests.conftest import Workspace
from tests.hostile.bundles import ALTERED, FORGED, GRAPHS, Change, copy_of, put, right
from tests.hostile.once import Use, predicting

FINE = {
    # what is only looked at beside the score may hold any numbers; these are numbers
    *(f"{part}: numbers too large to add" for part in ("b/part-1", "b-features/part-1", "ridge/part-1")),
    *("baseline/part-1: numbers too large to add", "ensemble/novelty: numbers too large to add"),
    *("a: view 1000000000.0", "trees elsewhere in memory"),
}
"""Stories that end in a prediction."""


@pytest.fixture(scope="module")
def use(workspace: Workspace):
    with predicting(workspace.portrait) as used:
        yield used


@pytest.fixture(scope="module")
def trained(workspace: Workspace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle whose Model A is as it was trained."""
    bundle = tmp_path_factory.mktemp("trained") / "bundle"
    kallos_ok("export", bundle, "--no-onnx", "--store", workspace.store)
    return bundle


def changed(sound: Path, folder: Path, change: Change) -> Path:
    bundle = copy_of(sound, folder / "bundle")
    change(bundle)
    return bundle


@pytest.mark.parametrize("story", ALTERED)
def test_an_altered_bundle_is_refused(story: str, use: Use, trained: Path, tmp_path: Path):
    with pytest.raises((BundleError, InputError)) as refused:
        use(changed(trained, tmp_path, ALTERED[story]))
    assert str(tmp_path) in str(refused.value) or story.endswith("of another kallos")


@pytest.mark.parametrize("story", FORGED)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_forged_bundle_predicts_or_is_refused(story: str, use: Use, trained: Path, tmp_path: Path):
    bundle = changed(trained, tmp_path, FORGED[story])
    right(bundle)
    if story in FINE:
        assert 1 <= use(bundle) <= 5
        return
    with pytest.raises((BundleError, PrerequisiteError)) as refused:
        use(bundle)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize("story", GRAPHS)
def test_a_forged_graph_is_refused(story: str, use: Use, workspace: Workspace, tmp_path: Path):
    bundle = changed(workspace.bundle, tmp_path, GRAPHS[story])
    right(bundle)
    with pytest.raises(BundleError) as refused:
        use(bundle)
    assert len(str(refused.value).splitlines()) == 1


def test_what_macos_and_windows_leave_in_a_folder_is_ignored(
    use: Use, workspace: Workspace, trained: Path, tmp_path: Path
):
    bundle = copy_of(trained, tmp_path / "bundle")
    for name in (".DS_Store", "a/.DS_Store", "._manifest.json", "a/part-1/Thumbs.db", "encoder/desktop.ini"):
        (bundle / name).write_bytes(b"\0\0\0\1Bud1")
    assert use(bundle) == use(trained)
    kallos_ok("export", bundle, "--store", workspace.store)
    assert not list(bundle.rglob(".DS_Store")), "a bundle is replaced, litter and all"
    (bundle / "a" / "Thumbs.db.py").write_text("print('hello')")
    with pytest.raises(BundleError, match=r"a/Thumbs\.db\.py does not belong there"):
        use(bundle)


def test_a_folder_with_nothing_but_litter_is_empty(workspace: Workspace, tmp_path: Path):
    (tmp_path / "bundle").mkdir()
    (tmp_path / "bundle" / ".DS_Store").touch()
    kallos_ok("export", tmp_path / "bundle", "--store", workspace.store)
    assert (tmp_path / "bundle" / "manifest.json").is_file()


def test_a_bundle_that_is_only_copied_predicts_the_same(use: Use, trained: Path, tmp_path: Path):
    assert use(copy_of(trained, tmp_path / "bundle")) == use(trained)


def test_a_forged_bundle_is_one_sentence_on_the_command_line(workspace: Workspace, trained: Path, tmp_path: Path):
    bundle = changed(trained, tmp_path, FORGED["a tree that goes round"])
    right(bundle)
    before = sorted(tmp_path.rglob("*"))
    answer = kallos("score", workspace.portrait, "--bundle", bundle)
    assert (answer.code, answer.out) == (9, "")
    assert answer.err.startswith("kallos: ")
    assert "does not reach each of its leaves" in answer.err
    assert sorted(tmp_path.rglob("*")) == before


def test_an_export_over_an_altered_bundle_keeps_it(workspace: Workspace, trained: Path, tmp_path: Path):
    bundle = changed(trained, tmp_path, ALTERED["an extra file"])
    answer = kallos("export", bundle, "--store", workspace.store)
    assert answer.code == InputError.exit_code
    assert (bundle / "extra.py").read_bytes() == b"print('hello')"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
DESCRIPTIONS = (
    *(f"{model}/part-1/model.json" for model in ("a", "b", "baseline", "ridge")),
    *("encoder/model.json", "ensemble/combiner.json", "ensemble/intervals.json", "ensemble/novelty/model.json"),
    *("normalization.json", "manifest.json"),
)


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(file=st.sampled_from(DESCRIPTIONS), places=st.lists(st.integers(0, 10**6), min_size=1, max_size=3), value=JSON)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_any_value_anywhere_in_a_description_predicts_or_is_refused(file, places, value, use, trained, tmp_path):
    bundle = tmp_path / "bundle"
    shutil.rmtree(bundle, ignore_errors=True)
    copy_of(trained, bundle)
    inner = content = json.loads((bundle / file).read_text())
    for place in places:
        keys = list(inner) if isinstance(inner, dict) else range(len(inner)) if isinstance(inner, list) else []
        if not keys:
            break
        holder, key = inner, keys[place % len(keys)]
        inner = inner[key]
    holder[key] = value
    put(bundle / file, json.dumps(content).encode())
    if file != "manifest.json":
        right(bundle)
    try:
        use(bundle)
    except KallosError:
        return


TREE = """tree
version=v4
num_class=1
num_tree_per_iteration=1
label_index=0
max_feature_idx=1
objective=regression
feature_names=x y
feature_infos=[0:1] [0:1]
tree_sizes=1

Tree=0
"""
NODES = {
    "num_leaves": "3",
    "num_cat": "0",
    "split_feature": "0 1",
    "split_gain": "1 1",
    "threshold": "0.5 0.5",
    "decision_type": "2 2",
    "left_child": "-1 -2",
    "right_child": "1 -3",
    "leaf_value": "1 2 3",
    "leaf_weight": "1 1 1",
    "leaf_count": "1 1 1",
    "internal_value": "1 1",
    "internal_weight": "3 2",
    "internal_count": "3 2",
    "is_linear": "0",
    "shrinkage": "1",
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({}, None),
        ({"left_child": "-1 1", "right_child": "-2 -3"}, "has a cycle"),
        ({"right_child": "1 -2"}, "reach each of its leaves once"),
        ({"split_feature": "0 2"}, "that rows do not have"),
        ({"decision_type": "2 3"}, "that rows do not have"),
        ({"threshold": "0.5"}, "wrong number of threshold"),
        ({"num_leaves": "4"}, "num_leaves of a tree is wrong"),
        ({"left_child": "-1 x"}, "invalid tree indices"),
        ({"leaf_value": "1 2 nan"}, "not a number"),
        ({"num_cat": "1"}, "unsupported kind"),
    ],
)
def test_a_tree_that_cannot_be_walked_says_why(change, complaint, tmp_path: Path):
    file = tmp_path / "model.txt"
    file.write_text(text_of(NODES | change))
    if complaint is None:
        assert read_trees(file, 2).predict(np.array([[1.0, 1.0]]), num_threads=1) == 3
        return
    with pytest.raises(BundleError, match=complaint):
        read_trees(file, 2)


def text_of(lines: dict[str, str]) -> str:
    return TREE + "".join(f"{name}={value}\n" for name, value in lines.items()) + "\n\nend of trees\n"


TEXT = st.text("0123456789-. e", max_size=8) | st.integers(-4, 4).map(str)


@settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(line=st.sampled_from(sorted(NODES)), values=st.lists(TEXT, max_size=4))
def test_lightgbm_is_given_only_trees_that_it_can_walk(line, values, tmp_path):
    """LightGBM itself would end or hang this process."""
    file = tmp_path / "model.txt"
    file.write_text(text_of(NODES | {line: " ".join(values)}))
    try:
        trees = read_trees(file, 2)
    except BundleError:
        return
    assert trees.predict(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]), num_threads=1).shape == (3,)
