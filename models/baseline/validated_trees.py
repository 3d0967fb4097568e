"""LightGBM's text of trees, validated before LightGBM reads and trusts it: a bad one ends or hangs the process."""

import re
from collections.abc import Mapping
from pathlib import Path

import lightgbm

from models.untrusted import as_bundle_error

HEADER = {
    "version": "v4",
    "num_class": "1",
    "num_tree_per_iteration": "1",
    "label_index": "0",
    "objective": "regression",
}
INDICES = ("split_feature", "decision_type", "left_child", "right_child")
NODE_FIELDS = (*INDICES, "split_gain", "threshold", "internal_value", "internal_weight", "internal_count")
LEAF_FIELDS = ("leaf_value", "leaf_weight", "leaf_count")
TREE_FIELDS = ("num_leaves", "num_cat", "is_linear", "shrinkage")
END = "end of trees"

_INDICES = re.compile(r"-?[0-9]{1,9}(?: -?[0-9]{1,9})*")


def read_trees(path: Path, inputs: int) -> lightgbm.Booster:
    """The regression trees that kallos wrote, for rows of `inputs` numbers.

    Raises BundleError for anything else: other models, splits on numbers that rows do not have, trees with cycles.
    """
    with as_bundle_error(path):
        header, *trees = re.split(r"^Tree=\d+\n", _before_end(path), flags=re.MULTILINE)
        # by these sizes LightGBM would find the trees; without them it reads one after another
        header = re.sub(r"^tree_sizes=.*\n", "", header, flags=re.MULTILINE)
        fields = _fields(header.removeprefix("tree\n"))
        if {**fields, **HEADER, "max_feature_idx": str(inputs - 1)} != fields:
            raise ValueError("these are not regression trees for the inputs of the model")
        for tree in trees:
            _check(_fields(tree), inputs)
        body = "".join(f"Tree={number}\n{tree}" for number, tree in enumerate(trees))
        return lightgbm.Booster(model_str=f"{header}{body}{END}\n")


def _before_end(path: Path) -> str:
    text, end, _ = path.read_text(encoding="utf-8").partition(f"\n{END}\n")
    if not end:
        raise ValueError("the trees are cut short")
    return f"{text}\n"


def _fields(text: str) -> dict[str, str]:
    """Lines `name=value`, each name once."""
    pairs = [line.split("=", 1) for line in text.split("\n") if line]
    fields = {name: value for name, value in pairs}
    if len(fields) < len(pairs):
        raise ValueError("a line appears twice")
    return fields


def _check(tree: Mapping[str, str], inputs: int) -> None:
    """Raises ValueError unless every walk from the root ends at a leaf and splits only on features that rows have.

    LightGBM itself checks that the other values are numbers.
    """
    if tree.keys() != {*NODE_FIELDS, *LEAF_FIELDS, *TREE_FIELDS} or tree["num_cat"] != "0" or tree["is_linear"] != "0":
        raise ValueError("a tree is of an unsupported kind")
    leaves = tree["leaf_value"].count(" ") + 1
    if tree["num_leaves"] != str(leaves):
        raise ValueError("num_leaves of a tree is wrong")
    if "n" in tree["leaf_value"]:
        raise ValueError("a tree holds a value that is not a number")
    if leaves == 1:
        return
    for name, length in [*((name, leaves - 1) for name in NODE_FIELDS), *((name, leaves) for name in LEAF_FIELDS)]:
        if tree[name].count(" ") + 1 != length:
            raise ValueError(f"a tree has the wrong number of {name}")
    features, kinds, left, right = (_indices(tree[name]) for name in INDICES)
    # an odd kind is a split on categories
    if not (min(features) >= 0 and max(features) < inputs and min(kinds) >= 0 and not any(kind & 1 for kind in kinds)):
        raise ValueError("a tree splits on features that rows do not have")
    # nodes are counted from the root down, leaves from -1 down
    if sorted(left + right) != [*range(-leaves, 0), *range(1, leaves - 1)]:
        raise ValueError("a tree does not reach each of its leaves once")
    if any(0 < child <= node for children in (left, right) for node, child in enumerate(children)):
        raise ValueError("a tree has a cycle")


def _indices(text: str) -> list[int]:
    if not _INDICES.fullmatch(text):
        raise ValueError("invalid tree indices")
    return [int(index) for index in text.split(" ")]
