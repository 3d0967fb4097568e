"""Bundles that are not what `kallos export` wrote: one change, one story each, made to a copy of a sound one.

Stories of ALTERED leave the manifest as it was; those of FORGED put the hashes right, as whoever changes a file can.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from safetensors.torch import load_file, save

Change = Callable[[Path], None]


def copy_of(bundle: Path, folder: Path) -> Path:
    """The same files under other names; `put` takes them apart."""
    return Path(shutil.copytree(bundle, folder, copy_function=os.link))


def put(file: Path, content: bytes) -> None:
    """Other content, in this copy alone."""
    file.unlink(missing_ok=True)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content)


def right(bundle: Path) -> None:
    """Write the manifest as if the bundle had been exported so."""
    files = sorted(path for path in bundle.rglob("*") if path.is_file() and path.name != "manifest.json")
    hashes = {path.relative_to(bundle).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
    manifest = json.loads((bundle / "manifest.json").read_text())
    put(bundle / "manifest.json", json.dumps(manifest | {"files": hashes}).encode())


def bytes_of(file: str, content: bytes) -> Change:
    return lambda bundle: put(bundle / file, content)


def cut(file: str) -> Change:
    return lambda bundle: put(bundle / file, (bundle / file).read_bytes()[: (bundle / file).stat().st_size // 2])


def without(file: str) -> Change:
    return lambda bundle: (bundle / file).unlink()


def set_json(file: str, *place: str, value: Any) -> Change:
    """Another value at that place of a JSON file."""

    def change(bundle: Path) -> None:
        content = json.loads((bundle / file).read_text())
        *way, last = place
        inner = content
        for name in way:
            inner = inner[name]
        inner[last] = value
        put(bundle / file, json.dumps(content).encode())

    return change


def tensor(folder: str, changed: Callable[[torch.Tensor], torch.Tensor | None], name: str | None = None) -> Change:
    """The first tensor, or that one, as `changed` makes it; None takes it out."""

    def change(bundle: Path) -> None:
        file = bundle / folder / "model.safetensors"
        tensors = load_file(file)
        chosen = name or next(key for key, value in tensors.items() if value.is_floating_point())
        other = changed(tensors.pop(chosen))
        put(file, save(tensors | ({} if other is None else {chosen: other.contiguous()})))

    return change


def header(folder: str, changed: Callable[[bytes], bytes]) -> Change:
    """Another header of the safetensors file, and its length as it is then."""

    def change(bundle: Path) -> None:
        file = bundle / folder / "model.safetensors"
        content = file.read_bytes()
        (length,) = struct.unpack("<Q", content[:8])
        other = changed(content[8 : 8 + length])
        put(file, struct.pack("<Q", len(other)) + other + content[8 + length :])

    return change


def trees(line: str, *first: str) -> Change:
    """Another start of the first such line of LightGBM's text."""

    def change(bundle: Path) -> None:
        file = bundle / "baseline/part-1/model.txt"
        text = file.read_text()
        found = re.search(rf"^{line}=(\S+ \S+.*)$", text, flags=re.MULTILINE) or re.search(
            rf"^{line}=(.*)$", text, flags=re.MULTILINE
        )
        assert found
        values = [*first, *found[1].split(" ")[len(first) :]]
        put(file, f"{text[: found.start(1)]}{' '.join(values)}{text[found.end(1) :]}".encode())

    return change


def _link(bundle: Path, file: str, target: Path) -> None:
    (bundle / file).unlink()
    (bundle / file).symlink_to(target)


def _listed(name: str) -> Change:
    """A name in the manifest that leads out of the bundle, with the hash of what lies there."""

    def change(bundle: Path) -> None:
        (bundle.parent / "beside.txt").write_text("beside")
        manifest = json.loads((bundle / "manifest.json").read_text())
        manifest["files"][name] = hashlib.sha256(b"beside").hexdigest()
        put(bundle / "manifest.json", json.dumps(manifest).encode())

    return change


def graph(changed: Callable[[onnx.ModelProto], object]) -> Change:
    """Model A's first graph after `changed` has been at it."""

    def change(bundle: Path) -> None:
        file = bundle / "a/part-1/model.onnx"
        model = onnx.load_from_string(file.read_bytes())
        changed(model)
        put(file, model.SerializeToString())

    return change


def _outside(model: onnx.ModelProto) -> None:
    """Weights that lie, by their name, where every machine has a file."""
    weights = model.graph.initializer[0]
    weights.ClearField("raw_data")
    weights.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../etc/passwd"), ("offset", "0"), ("length", "16")):
        weights.external_data.add(key=key, value=value)


def _not_numbers(model: onnx.ModelProto) -> None:
    for weights in model.graph.initializer:
        if weights.data_type == onnx.TensorProto.FLOAT:
            weights.raw_data = np.full(len(weights.raw_data) // 4, np.nan, np.float32).tobytes()


ALTERED: dict[str, Change] = {
    **{
        f"a changed byte in {file}": lambda bundle, file=file: put(
            bundle / file, b"\0" + (bundle / file).read_bytes()[1:]
        )
        for file in ("a/part-1/model.safetensors", "b/part-1/model.json", "normalization.json", "MODEL_CARD.md")
    },
    **{
        f"{file} is missing": without(file)
        for file in ("encoder/model.json", "ridge/model.safetensors", "ensemble/intervals.json", "DATA_CARD.md")
    },
    "an extra file": bytes_of("extra.py", b"print('hello')"),
    "an extra hidden file": bytes_of("a/.hidden", b""),
    "an extra folder with a file": bytes_of("c/model.json", b"{}"),
    "a link to a file outside": lambda bundle: _link(bundle, "DATA_CARD.md", bundle.parent / "beside.txt"),
    "a link to its own file": lambda bundle: _link(bundle, "DATA_CARD.md", Path("MODEL_CARD.md")),
    "a link that goes round": lambda bundle: _link(bundle, "DATA_CARD.md", Path("DATA_CARD.md")),
    "a link to a folder": lambda bundle: (bundle / "again").symlink_to(bundle, target_is_directory=True),
    "a name with .. in the manifest": _listed("../beside.txt"),
    "a name with .. in the middle": _listed("a/../../beside.txt"),
    "an absolute name": _listed("/etc/hostname"),
    "a name with NUL": _listed("a\0b"),
    "an empty name": _listed(""),
    "parts that lie elsewhere": set_json("manifest.json", "parts", value=["a", "b", "ensemble", "../outside/encoder"]),
    "parts that are none": set_json("manifest.json", "parts", value=5),
    "files as a list": set_json("manifest.json", "files", value=["a"]),
    "a hash that is a number": set_json("manifest.json", "files", "normalization.json", value=5),
    "a newer format": set_json("manifest.json", "format", value="kallos.bundle/99"),
    "no versions": set_json("manifest.json", "versions", value=None),
    "no training": set_json("manifest.json", "trained_on", value={}),
    "versions of another kallos": set_json("manifest.json", "uses", "geometry", "code_version", value=99),
    "landmarks of another kallos": set_json("manifest.json", "uses", "landmarks", "parameters", value={}),
    "uses of nothing": set_json("manifest.json", "uses", value={}),
    "uses that are a number": set_json("manifest.json", "uses", value=5),
    "a use without columns": set_json("manifest.json", "uses", "skin", value={}),
    "a manifest without anything": bytes_of("manifest.json", b"{}"),
    "a manifest that is a list": bytes_of("manifest.json", b"[]"),
    "a manifest that is empty": bytes_of("manifest.json", b""),
    "a manifest cut short": cut("manifest.json"),
    "a manifest that is not UTF-8": bytes_of("manifest.json", b"\xff\xfe{"),
    "a manifest as deep as a well": bytes_of("manifest.json", b"[" * 200_000),
    "a manifest of 20 MiB": bytes_of("manifest.json", b" " * (20 << 20) + b"{}"),
    "a manifest that is a folder": lambda bundle: (
        put(bundle / "manifest.json", b""),
        (bundle / "manifest.json").unlink(),
        (bundle / "manifest.json").mkdir(),
    )[0],
}
BESIDE = {"beside": "mean", "n": 9, "mae": 1.0, "mae_beside": 1.0, "low": 0.0, "high": 0.0}
PARTS = ("a/part-1", "b/part-1", "b-features/part-1", "baseline/part-1", "ridge/part-1", "ensemble/novelty")
FORGED: dict[str, Change] = {
    "training photos cut short": bytes_of("training_photos.bin", b"1234567"),
    "no training photos": without("training_photos.bin"),
    "comparisons that are a number": set_json("manifest.json", "comparisons", value=7),
    "a comparison without figures": set_json("manifest.json", "comparisons", value=[BESIDE | {"mae": None}]),
    **{f"{part}: no tensors": bytes_of(f"{part}/model.safetensors", b"") for part in PARTS},
    **{f"{part}: tensors cut short": cut(f"{part}/model.safetensors") for part in PARTS},
    **{
        f"{part}: a header of exabytes": bytes_of(f"{part}/model.safetensors", b"\xff" * 7 + b"\x0f{}")
        for part in PARTS[:2]
    },
    **{
        f"{part}: tensors of petabytes": header(part, lambda h: re.sub(rb'"shape":\[\d+', b'"shape":[999999999999', h))
        for part in PARTS
    },
    **{f"{part}: a tensor of another shape": tensor(part, lambda t: torch.zeros(3, 1)) for part in PARTS},
    **{f"{part}: a tensor is missing": tensor(part, lambda t: None) for part in PARTS},
    **{f"{part}: not a number": tensor(part, lambda t: torch.full_like(t, torch.nan)) for part in PARTS},
    **{f"{part}: infinite": tensor(part, lambda t: torch.full_like(t, torch.inf)) for part in PARTS[:2]},
    **{f"{part}: numbers too large to add": tensor(part, lambda t: torch.full_like(t, 3e38)) for part in PARTS},
    **{
        f"{part}: {str(dtype)[6:]}": tensor(part, lambda t, dtype=dtype: t.to(dtype))
        for part in PARTS
        for dtype in (torch.bfloat16, torch.bool)
    },
    **{f"{part}: says nothing": bytes_of(f"{part}/model.json", b"{}") for part in PARTS},
    **{f"{part}: says a list": bytes_of(f"{part}/model.json", b"[1]") for part in PARTS},
    **{f"{part}: is of another kind": set_json(f"{part}/model.json", "kind", value="ridge") for part in PARTS[:4]},
    **{f"{part}: is of an unknown kind": set_json(f"{part}/model.json", "kind", value="os.system") for part in PARTS},
    **{
        f"{part}: learnt from other features": set_json(f"{part}/model.json", "feature_names", value=["jaw_width"])
        for part in PARTS[1:5]
    },
    **{
        f"{part}: features are a number": set_json(f"{part}/model.json", "feature_names", value=7)
        for part in PARTS[1:5]
    },
    **{
        f"a: {parts} parts": set_json("a/model.json", "parts", value=parts)
        for parts in (0, -1, 5, 1_000_000_000, "four", None, 1.5)
    },
    "b is made of ridges": lambda bundle: (shutil.rmtree(bundle / "b"), copy_of(bundle / "ridge", bundle / "b"))[0],
    "b is a single model": lambda bundle: (
        shutil.rmtree(bundle / "b"),
        copy_of(bundle / "b-features/part-1", bundle / "b"),
    )[0],
    **{
        f"b: hidden {hidden}": set_json("b/part-1/model.json", "config", "hidden", value=hidden)
        for hidden in (1_000_000_000_000, -1, "x", None)
    },
    "b: an unknown setting": set_json("b/part-1/model.json", "config", "shell", value="rm"),
    "b: a column too far": set_json("b/part-1/model.json", "columns", "eyes", value=[5000]),
    "b: a billion-fold column": set_json("b/part-1/model.json", "columns", "eyes", value=[0] * 1_000_000),
    **{
        f"a: images of {side} pixels": set_json("a/part-1/model.json", "config", "image_size", value=side)
        for side in (10**9, 0, -3, "64", None)
    },
    **{f"a: view {view}": set_json("a/part-1/model.json", "config", "view", value=view) for view in (1e9, -5, 0, "x")},
    **{
        f"a: the network {name}": set_json("a/part-1/model.json", "backbone", "name", value=name)
        for name in ("vit_h_14", "no_such_network", "", None, "../x")
    },
    **{
        f"encoder: {name} {value!r}": set_json("encoder/model.json", name, value=value)
        for name, value in (
            ("id", "another"),
            ("id", None),
            ("name", "../x"),
            ("name", None),
            ("weights_sha256", 5),
            ("networks", "many"),
            ("dim", "wide"),
        )
    },
    "encoder: says nothing": bytes_of("encoder/model.json", b"{}"),
    "trees cut short": cut("baseline/part-1/model.txt"),
    "no trees": bytes_of("baseline/part-1/model.txt", b""),
    "trees that are a photo": bytes_of("baseline/part-1/model.txt", b"\x89PNG\r\n\x1a\n"),
    "a tree that goes round": trees("left_child", "0"),
    "a tree that leads out": trees("right_child", "999999999"),
    "a tree that leads out below": trees("right_child", "-999999999"),
    "a split on a feature that is not there": trees("split_feature", "999999999"),
    "a split on categories": trees("decision_type", "1"),
    "a billion leaves": trees("num_leaves", "1000000000"),
    "no leaves": trees("num_leaves", "0"),
    "a billion trees at once": trees("num_tree_per_iteration", "1000000000"),
    "no tree at once": trees("num_tree_per_iteration", "0"),
    "trees elsewhere in memory": trees("tree_sizes", "-5", "999999999"),
    "a leaf that is not a number": trees("leaf_value", "nan"),
    "combiner: no state": set_json("ensemble/combiner.json", "state", value={}),
    "combiner: a state of words": set_json("ensemble/combiner.json", "state", "logits", value="x"),
    "combiner: no member": set_json("ensemble/combiner.json", "members", value=[]),
    "combiner: a member that is not there": set_json("ensemble/combiner.json", "members", value=["a", "oracle"]),
    "combiner: the photo alone": set_json("ensemble/combiner.json", "members", value=["a", "baseline"]),
    "combiner: no spread": set_json("ensemble/combiner.json", "spread", value=0.0),
    "combiner: a spread of words": set_json("ensemble/combiner.json", "spread", value="wide"),
    "combiner: not a number": set_json("ensemble/combiner.json", "state", "logits", value=[float("nan")]),
    "intervals: none for everyone": set_json("ensemble/intervals.json", "calibrations", value={}),
    "intervals: words": set_json("ensemble/intervals.json", "calibrations", "", "half_widths", value="wide"),
    "intervals: not a number": set_json(
        "ensemble/intervals.json", "calibrations", "", "half_widths", value=[float("nan")]
    ),
    "intervals: no scores": set_json("ensemble/intervals.json", "calibrations", "", "scores", value=[]),
    "intervals: falling scores": set_json("ensemble/intervals.json", "calibrations", "", "scores", value=[3.0, 2.0]),
    "intervals: a list": bytes_of("ensemble/intervals.json", b"[]"),
    "novelty: limits of words": set_json("ensemble/novelty/model.json", "limits", "yaw", value="far"),
    "novelty: nothing usual": set_json("ensemble/novelty/model.json", "usual", value={}),
    "novelty: an unknown space": set_json("ensemble/novelty/model.json", "usual", "smell", value=1.0),
    "novelty: no middle": set_json("ensemble/novelty/model.json", "middle", value=[]),
    "statistics: of no feature": set_json("normalization.json", "features", value=[]),
    "statistics: of an unknown feature": lambda bundle: set_json(
        "normalization.json", "features", value=["charm", "averageness"]
    )(bundle),
    "statistics: features as a number": set_json("normalization.json", "features", value=3),
    "statistics: too few": set_json("normalization.json", "mean", value=[0.0]),
    "statistics: words": set_json("normalization.json", "sd", value="wide"),
    "statistics: divide by zero": partial(
        lambda bundle: set_json(
            "normalization.json", "sd", value=[0.0] * len(json.loads((bundle / "normalization.json").read_text())["sd"])
        )(bundle)
    ),
    "statistics: another mean face": set_json("normalization.json", "mean_shape", value=[0.0, 1.0]),
    "statistics: deep as a well": bytes_of("normalization.json", b"[" * 200_000),
}
GRAPHS: dict[str, Change] = {
    **{f"{part}: no graph": bytes_of(f"{part}/model.onnx", b"") for part in ("a/part-1", "encoder")},
    **{f"{part}: a graph cut short": cut(f"{part}/model.onnx") for part in ("a/part-1", "encoder")},
    **{
        f"{part}: a photo as graph": bytes_of(f"{part}/model.onnx", b"\x89PNG\r\n\x1a\n")
        for part in ("a/part-1", "encoder")
    },
    "a: the encoder's graph": lambda bundle: put(
        bundle / "a/part-1/model.onnx", (bundle / "encoder/model.onnx").read_bytes()
    ),
    "encoder: Model A's graph": lambda bundle: put(
        bundle / "encoder/model.onnx", (bundle / "a/part-1/model.onnx").read_bytes()
    ),
    "a: tensors in a file outside": graph(_outside),
    "a: an operator that nobody knows": graph(
        lambda model: model.graph.node.append(onnx.helper.make_node("Spell", ["faces"], ["x"]))
    ),
    "a: weights that are not numbers": graph(_not_numbers),
    "a: sees nothing": set_json("a/part-1/model.json", "config", "view", value=0),
    "a: view of words": set_json("a/part-1/model.json", "config", "view", value="x"),
}
"""Of bundles whose Model A is graphs; the others hold it as it was trained."""
