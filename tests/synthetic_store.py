"""A small store with made-up rows in every table and view, written through the store's own functions.

Nothing in it is a face: landmarks are the canonical mesh with noise, photos are plain colour, scores and
predictions are random numbers that correlate.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
from datetime import datetime
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from extractors.outputs import Field, Output
from extractors.regions import REGIONS
from extractors.topologies.facemesh_468 import TOPOLOGY
from featurestore import runs, selections
from featurestore.calibration import Calibration
from featurestore.ingest.labels import build_scores
from featurestore.opening import open_store
from featurestore.records import Epoch
from featurestore.runs import Run
from featurestore.scale import Scale
from featurestore.selections import Choice, Rows
from featurestore.store import Store
from featurestore.training_sets import training_set
from featurestore.versions import ATTEMPT_COLUMNS, register, write

MESH = TOPOLOGY.mesh

DATA_SET = "made-up"
PROTOCOL = "made-up-2fold"
TRAIT = "score"
SUBSETS = ("AF", "AM", "CF", "CM")
RATERS = 6
FEATURES = {
    "geometry": ("eye_width", "brow_arch", "nose_width", "mouth_width", "jaw_width", "cheek_height", "face_width"),
    "skin": ("skin_sharpness", "skin_evenness"),
}
_REGION_OF = dict(zip(FEATURES["geometry"], (*REGIONS[:6], "symmetry"), strict=True)) | {
    name: "skin" for name in FEATURES["skin"]
}
CHOICES = {
    "a": (
        Choice("epochs", "kallos", "decided", Rows(PROTOCOL, 2, "train", 30), "PC", ".80 to .81", datetime(2026, 1, 2)),
    ),
    "b": (Choice("epochs", "kallos", "known", Rows("other-5fold", 1, "test", 30), "PC", ".8", datetime(2026, 1, 3)),),
}
"""model -> what was chosen by test rows of fold 1, and by those of a protocol that is not there."""

SIZE = 100
"""Width and height of the photos, pixels."""

MODEL_NOISE = {"baseline": 0.5, "a": 0.3, "b-features": 0.45, "b": 0.35, "ensemble": 0.25}
"""model -> standard deviation of its error; the order is that of training."""


def make_store(path: Path, images: int = 80, *, extracted: bool = True, trained: bool = True) -> Store:
    """A store at `path`, open for writing, with its photos beside it; the same at every call."""
    template = _built_once(images, extracted, trained)
    shutil.copy(template, path)
    shutil.copytree(template.with_suffix(".photos"), path.with_suffix(".photos"))
    store = open_store(path)
    root = str(path.with_suffix(".photos"))
    store.append("locations", pl.DataFrame({"data_set": [DATA_SET], "root": [root]}))
    return store


@cache
def _built_once(images: int, extracted: bool, trained: bool) -> Path:
    """The file that `make_store` copies: making it takes two seconds, and many tests want one."""
    folder = TemporaryDirectory(prefix="kallos-tests-")
    atexit.register(folder.cleanup)
    random = np.random.default_rng(0)
    ids = [f"{DATA_SET}/{i:04d}.png" for i in range(images)]
    quality = random.normal(size=images)
    with open_store(Path(folder.name) / "s.duckdb") as store:
        _ingest(store, ids, quality, random)
        if extracted:
            _extract(store, ids, quality, random)
        if trained:
            train_fold(store, 1, random)
    return store.path


def content(image_id: str) -> str:
    """The made-up hash of a photo's bytes."""
    return hashlib.sha256(image_id.encode()).hexdigest()


def read_photos(patch: pytest.MonkeyPatch) -> None:
    """Let trainings read the photos, whose made-up hashes are not those of their bytes."""
    patch.setattr("kallos.workflows.stored_faces.sha256_of_file", lambda path: content(f"{DATA_SET}/{path.name}"))


def _ingest(store: Store, ids: list[str], quality: NDArray[np.float64], random: np.random.Generator) -> None:
    folder = store.path.with_suffix(".photos")
    folder.mkdir()
    for i, image_id in enumerate(ids):
        Image.new("RGB", (SIZE, SIZE), (90, 70 + i % 100, 110)).save(folder / image_id.split("/")[1])
    n = len(ids)
    rounded = np.round(3 + 0.7 * quality[:, None] + random.normal(0, 0.6, (n, RATERS)))
    ratings = np.clip(rounded, 1, 5)
    mean = ratings.mean(axis=1)
    subsets = [SUBSETS[i % 4] for i in range(n)]
    store.append("data_sets", pl.DataFrame({"data_set": [DATA_SET], "licence": ["made up, free to use"]}))
    store.append(
        "traits", pl.DataFrame({"data_set": [DATA_SET], "trait": [TRAIT], "scale_low": [1.0], "scale_high": [5.0]})
    )
    columns = {
        "image_id": ids,
        "data_set": DATA_SET,
        "path": [image_id.split("/")[1] for image_id in ids],
        "sha256": [content(image_id) for image_id in ids],
        "width": SIZE,
        "height": SIZE,
        "subset": subsets,
        "sex": ["female" if s[1] == "F" else "male" for s in subsets],
        "ethnicity": [s[0] for s in subsets],
    }
    store.append("images", pl.DataFrame(columns))
    long = {
        "image_id": np.repeat(ids, RATERS),
        "rater_id": np.tile([f"r{i}" for i in range(RATERS)], n),
        "rating": ratings.ravel(),
        "trait": TRAIT,
    }
    store.append("ratings", pl.DataFrame(long))
    ages = {"data_set": DATA_SET, "rater_id": [f"r{i}" for i in range(RATERS)], "attribute": "age", "value": "30"}
    store.append("rater_attributes", pl.DataFrame(ages))
    store.append("image_attributes", pl.DataFrame({"image_id": ids, "attribute": "camera", "value": "made up"}))
    histogram = [[int((row == value).sum()) for value in range(1, 6)] for row in ratings]
    scores = {
        "mean": mean,
        "sd": ratings.std(axis=1),
        "raters": RATERS,
        "histogram": histogram,
        "score": mean,
        "trait": TRAIT,
    }
    store.append("scores", pl.DataFrame({"image_id": ids} | scores))
    for fold in (1, 2):
        roles = ["test" if i % 2 == fold - 1 else "train" for i in range(n)]
        of_fold = {"image_id": ids, "protocol": PROTOCOL, "fold": fold, "role": roles, "trait": TRAIT}
        store.append("splits", pl.DataFrame(of_fold))
    found = [("missing_image", f"gone{i}.png", "has a score but no file") for i in range(5)]
    found.append(("bad_landmarks", "0001.pts", "holds 0 points, 86 were expected"))
    columns_of = ["kind", "subject", "detail"]
    store.append("findings", pl.DataFrame(found, columns_of, orient="row").with_columns(data_set=pl.lit(DATA_SET)))
    store.execute("INSERT INTO personal_ratings SELECT image_id, 'anna', $trait, 3, now() FROM images", trait=TRAIT)
    points = {"x": [[1.0, 2.0]], "y": [[3.0, 4.0]]}
    store.append("published_landmarks", pl.DataFrame({"image_id": ids[:1]} | points))


def add_trait(store: Store, trait: str, scale: tuple[int, int] = (1, 7), seed: int = 1) -> str:
    """Rate every image on another trait, in two sessions, with other answers; returns the protocol."""
    random = np.random.default_rng(seed)
    low, high = scale
    ids = store.frame("SELECT image_id FROM images ORDER BY image_id")["image_id"].to_list()
    opinions = random.normal((low + high) / 2, 1, (len(ids), 1, 1)) + random.normal(0, 0.7, (len(ids), 2, RATERS))
    ratings = np.clip(np.round(opinions), low, high)
    sessions = [
        pl.DataFrame(
            {
                "image_id": np.repeat(ids, RATERS),
                "trait": trait,
                "rater_id": np.tile([f"r{i}" for i in range(RATERS)], len(ids)),
                "session": str(number + 1),
                "rating": ratings[:, number].ravel(),
            }
        )
        for number in (0, 1)
    ]
    both_sessions = pl.concat(sessions)
    about = {"data_set": [DATA_SET], "trait": [trait], "scale_low": [float(low)], "scale_high": [float(high)]}
    store.append("traits", pl.DataFrame(about))
    store.append("ratings", both_sessions)
    store.append("scores", build_scores({trait: (low, high)}, both_sessions))
    protocol = f"{DATA_SET}-{trait}-2fold"
    for fold in (1, 2):
        roles = ["test" if i // 2 % 2 == fold - 1 else "train" for i in range(len(ids))]
        rows = {"image_id": ids, "trait": trait, "protocol": protocol, "fold": fold, "role": roles}
        store.append("splits", pl.DataFrame(rows))
    return protocol


def stretch(store: Store, scale: Scale) -> None:
    """As if the raters, who used 1-5, had used this scale: ratings and means change, and nothing that models see."""
    about = {"low": scale.low, "factor": scale.errors_from_models(1.0)}
    store.execute("UPDATE ratings SET rating = $low + (rating - 1) * $factor", **about)
    store.execute("UPDATE scores SET mean = $low + (score - 1) * $factor, sd = sd * $factor, histogram = NULL", **about)
    for table in ("traits", "runs"):
        store.execute(f"UPDATE {table} SET scale_low = $low, scale_high = $high", low=scale.low, high=scale.high)


def _outputs() -> dict[str, Output]:
    def features(kind: str) -> Output:
        columns = tuple(Field(name, "float64", f"{name}, made up") for name in FEATURES[kind])
        return Output(kind, "geometric_features", "one row an image: made-up features", columns, 1)

    return {
        "landmarks": Output(
            "landmarks", "landmarks", "one row an image", tuple(Field(a, "float32[468]", "pixels") for a in "xyz"), 1
        ),
        "geometry": features("geometry"),
        "skin": features("skin"),
        "shape": Output("shape", "shapes", "one row an image", (Field("shape", "float32[936]", "unit size"),), 1),
        "fingerprint": Output(
            "fingerprint", "fingerprints", "one row an image", (Field("phash", "uint64", "made up"),), 1
        ),
        "embedding:tiny": Output(
            "embedding:tiny",
            "embeddings",
            "one row is one image",
            (Field("vector", "float32[8]", "made up"), Field("eyes", "float32[4]", "made up")),
            1,
        ),
    }


def _extract(store: Store, ids: list[str], quality: NDArray[np.float64], random: np.random.Generator) -> None:
    """All but the last image, in which no face is found."""
    seen, strength = ids[:-1], quality[:-1, None]
    n = len(seen)
    flat = MESH[:, :2] - MESH[:, :2].mean(axis=0)
    shapes = flat.T.ravel() / np.linalg.norm(flat) + random.normal(0, 0.001, (n, 936))
    pixels = np.concatenate([50 + 4 * flat, 4 * MESH[:, 2:]], axis=1) + random.normal(0, 0.3, (n, 468, 3))
    values: dict[str, dict[str, NDArray[np.float64]]] = {
        "landmarks": {axis: pixels[:, :, i] for i, axis in enumerate("xyz")},
        "shape": {"shape": shapes},
        "fingerprint": {"phash": random.integers(0, 2**64, n, dtype=np.uint64)},
        "embedding:tiny": {
            "vector": strength + random.normal(size=(n, 8)),
            "eyes": strength + random.normal(size=(n, 4)),
        },
    }
    for kind, names in FEATURES.items():
        pulls = np.linspace(-0.8, 0.8, len(names))
        noisy = strength * pulls + random.normal(size=(n, len(names)))
        values[kind] = dict(zip(names, (1 + 0.1 * noisy).T, strict=True))
    # two features that say the same, and a value that could not be measured
    values["geometry"]["face_width"] = 2 * values["geometry"]["jaw_width"] + random.normal(0, 0.005, n)
    values["geometry"]["eye_width"][3] = np.nan
    catalogue = [
        {
            "feature": name,
            "region": _REGION_OF[name],
            "unit": "face widths",
            "formula": "made up",
            "extractor": kind,
            "extractor_version": _outputs()[kind].version,
        }
        for kind, names in FEATURES.items()
        for name in names
    ]
    with store.transaction():
        store.append("feature_definitions", pl.DataFrame(catalogue))
        register(store, list(_outputs().values()))
        for name, output in _outputs().items():
            rows = {c: _column(v) for c, v in stored(name, values[name]).items()}
            sha256 = [content(image_id) for image_id in seen]
            write(store, output, pl.DataFrame({"sha256": sha256} | rows), _attempts(output, seen, "ok"))
        store.append("attempts", _attempts(_outputs()["landmarks"], ids[-1:], "no_face"))


def stored(name: str, values: dict[str, NDArray[np.float64]]) -> dict[str, NDArray[np.float64]]:
    """Features as their tables keep them: in one array."""
    return {"features": np.column_stack(list(values.values()))} if name in FEATURES else values


def _column(values: NDArray[np.float64]) -> pl.Series:
    if values.ndim == 1:
        return pl.Series(values)
    return pl.Series(values, dtype=pl.Array(pl.Float64, values.shape[1]))


def _attempts(output: Output, ids: list[str], status: str) -> pl.DataFrame:
    detail = "no face was found" if status == "no_face" else None
    line = {"extractor": output.extractor, "version": output.version, "status": status, "detail": detail}
    rows = [{"sha256": content(i), **line, "milliseconds": 2.5} for i in ids]
    return pl.DataFrame(rows, schema=ATTEMPT_COLUMNS)


def train_fold(store: Store, fold: int, random: np.random.Generator) -> None:
    """Made-up runs of every model on a fold; those of the ensemble with intervals."""
    rows = training_set(store, PROTOCOL, fold, "tiny")
    members: dict[str, str] = {}
    for number, (model, noise) in enumerate(MODEL_NOISE.items()):
        run = Run(
            run_id=f"{PROTOCOL}-{fold}-{model}-{number:08x}",
            model=model,
            protocol=PROTOCOL,
            fold=fold,
            weights="none",
            encoder="tiny" if model == "b" else None,
            manifest_id=rows.manifest_id,
            config={"seed": number} | ({"members": members} if model == "ensemble" else {}),
            folder=store.runs_folder / f"{model}-{fold}",
        )
        if model in ("a", "b"):
            members[model] = run.run_id
        runs.begin(store, run)
        for epoch in range(1, 6):
            error = noise + 0.5 / epoch
            line = Epoch(epoch, 5, error**2, 0.8 * error, error, max(1 - error, 0.0), 0.1)
            for part in (1, 2):
                runs.record_epoch(store, run, part, line)
        for role, batch in (("out_of_fold", rows.train), ("test", rows.test)):
            predicted = np.clip(batch.scores + random.normal(0, noise, len(batch)), 1, 5)
            ends = (predicted - 0.4, predicted + 0.4) if model == "ensemble" and role == "test" else None
            runs.record_predictions(store, run, role, batch.image_ids, predicted, batch.scores, ends)
        if model == "ensemble":
            members = [
                {"model": "a", "weight": 0.6, "pearson": 0.90},
                {"model": "b", "weight": 0.4, "pearson": 0.88},
            ]
            runs.record_combiner(store, run, {"correction": 0.01, "pearson": 0.92}, members)
            calibrations = {None: Calibration(40, 0.0, (1.0,), (0.4,))}
            calibrations |= {subset: Calibration(40, 0.1, (2.0, 4.0), (0.4, 0.6)) for subset in SUBSETS}
            runs.record_intervals(store, run, calibrations)
        if model.startswith("b") and model != "baseline":
            sub_scores = np.clip(rows.test.scores[:, None] + random.normal(0, 0.8, (len(rows.test), 8)), 1, 5)
            weights = np.tile(np.arange(1, 9) / 36, (2, 1))
            runs.record_sub_scores(store, run, rows.test.image_ids, sub_scores, weights)
        runs.finish(store, run, seconds=1.5 * (number + 1))
        selections.record(store, run, CHOICES.get(model, ()))
