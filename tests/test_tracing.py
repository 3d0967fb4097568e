"""NumPy code as graphs: each function beside NumPy itself, what is refused, and all that a prediction computes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from scipy.special import expit, ndtr

from ensemble.as_graphs import levelling_graph, requests, scoring_graph
from ensemble.bundle import open_bundle
from ensemble.intervals import EVERYONE, Intervals
from ensemble.novelty import pose
from ensemble.predictor import Predictor
from extractors import region_windows
from extractors.alignment import CROP_SIZE, procrustes_shape
from extractors.decode import decode
from extractors.geometry.compute import compute_geometry
from extractors.patches import Patches
from extractors.topologies import registry
from extractors.values import face_of
from models.encoders.spec import EncoderSpec
from models.networks.compact import compacted
from models.registry import MODELS
from models.tracing.trace import trace
from tests.conftest import Workspace

RANDOM = np.random.default_rng(0)
HERE = RANDOM.normal(size=(3, 4, 5))
THERE = RANDOM.normal(size=(3, 4, 5))
CASES = {
    "operators": lambda x, y: np.tanh(x - 2 * y) / np.exp(-x) + abs(y) ** 2 - np.sqrt(abs(x)) * np.maximum(x, y),
    "angles": lambda x, y: np.degrees(np.arctan2(x, y)) + np.hypot(x, y) + np.sin(x) * np.cos(y),
    "distributions": lambda x, y: expit(x) + ndtr(y) + np.log10(x * x + 1),
    "slices": lambda x, y: x[:, 1:, ::-2] + y[..., 4::-2][:, :-1],
    "places": lambda x, y: x[:, (3, 0), 1:3] * y[1][[0, 2], 1:3][None] + x[0, 0, 0],
    "reductions": lambda x, y: x.sum(axis=1) + y.mean(axis=1) - x.max(axis=1) + y.min(axis=1) + x.std(axis=1),
    "shapes": lambda x, y: x.reshape((-1, 5)).T @ np.moveaxis(y, 2, 0).reshape((5, 12)).T,
    "joined": lambda x, y: np.hstack([x[:, :, 0], y[:, :, 1]]) + np.column_stack([x[:, 0, 0], *y[:, 1, :2].T]).sum(),
    "stacked": lambda x, y: np.stack([x[0], y[0]], axis=1) - np.concatenate([x[:1], y[:1]]).transpose(1, 0, 2),
    "moved": lambda x, y: np.roll(x, -1, axis=1) + np.roll(y, 2, axis=1) - np.diff(x, axis=1).sum(),
    "parts": lambda x, y: sum(np.split(x, [1, 3], axis=2)[1:2]) * np.take(y, [1, 2], axis=2),
    "chosen": lambda x, y: np.where(x > y, np.clip(x, -0.5, 0.5), np.nan_to_num(y / np.where(y < 0, np.nan, 1))),
    "interpolated": lambda x, y: np.interp(x, [-1.0, 0.0, 0.5], [3.0, 1.0, 2.0]) + np.interp(y, [0.0], [4.0]),
    "summed": lambda x, y: np.einsum("ijk,ilk->jl", x, y) + np.minimum.reduceat(x[0], [0, 1, 3])[:1, :4],
    "complex": lambda x, y: np.abs(((x + 1j * y).conj() * (y - 1j * x)).sum(axis=1) / abs(x[:, 0] + 2)),
    "rotations": lambda x, y: np.linalg.det(np.linalg.svd(x[:, :3, :3])[0] @ np.linalg.svd(x[:, :3, :3])[2]),
}


def run(model, **inputs: np.ndarray) -> dict[str, np.ndarray]:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    values = session.run(None, {name: np.asarray(value, dtype=np.float32) for name, value in inputs.items()})
    return dict(zip([output.name for output in session.get_outputs()], values, strict=True))


@pytest.mark.parametrize("name", CASES)
def test_a_graph_computes_what_numpy_does_for_other_numbers_than_the_examples(name: str):
    graph = trace(lambda x, y: {"out": CASES[name](x, y)}, {"x": RANDOM.normal(size=HERE.shape), "y": HERE})
    expected = CASES[name](HERE, THERE)
    found = run(graph, x=HERE, y=THERE)["out"]
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda x: x if (x > 0).all() else -x, "all"),
        (lambda x: x if x[0, 0, 0] > 0 else -x, "np.where"),
        (lambda x: np.asarray(x) + 1, "np.asarray"),
        (lambda x: np.linalg.inv(x), "inv"),
        (lambda x: np.arcsin(x), "arcsin"),
        (lambda x: x**3, "power 3"),
        (lambda x: np.ones(3), "does not depend"),
    ],
)
def test_what_no_graph_can_do_is_refused_by_name(code, words: str):
    with pytest.raises((NotImplementedError, AttributeError), match=words):
        trace(lambda x: {"out": code(x)}, {"x": HERE})


def test_every_geometric_feature_is_a_graph():
    """A new feature reaches the browser by itself, or this names what its formula may not use."""
    points = registry.current().mesh
    irises = RANDOM.normal(0, 0.2, (registry.current().number - len(points), 3))

    def measured(landmarks):
        shapes, turned = procrustes_shape(landmarks), pose(landmarks)
        return {"features": compute_geometry(landmarks)[1], "shapes": shapes, "pose": turned}

    faces = np.concatenate([points, irises])[None] * 20 + RANDOM.normal(0, 3, (8, registry.current().number, 3)) + 300
    graph = trace(measured, {"landmarks": faces[:1]})
    expected = measured(faces.astype(np.float32))
    spread = expected["features"].std(axis=0)
    for number, face in enumerate(faces):
        found = run(graph, landmarks=face[None])
        assert (np.abs(found["features"][0] - expected["features"][number]) < 1e-3 * spread).all()
        np.testing.assert_allclose(found["shapes"][0], expected["shapes"][number], atol=1e-6)
        np.testing.assert_allclose(found["pose"][0], expected["pose"][number], atol=1e-3)


def test_graphs_give_the_prediction_itself(workspace: Workspace):
    parts = open_bundle(workspace.bundle)
    encoder = EncoderSpec.read(parts.folders["encoder"])
    level = levelling_graph()
    with Predictor(parts) as predictor:
        everyone = predictor.intervals.everyone
        predictor.intervals = Intervals({EVERYONE: everyone, "few": replace(everyone, n=12, half_widths=())})
        scoring = scoring_graph(predictor, sum(encoder.networks), encoder.dim)
        members = predictor.combiner.members
        seeing = [name for name in members if MODELS[name].needs_faces]
        assert seeing, "the workspace combines a network that sees the face"
        for photo in sorted((workspace.portraits / "images").iterdir())[:4]:
            expected = predictor.predict(photo)
            face = face_of(decode(photo), predictor, expected.landmarks)
            levelled = run(level, landmarks=face.landmarks)
            np.testing.assert_allclose(levelled["placed"], face.aligned.landmarks, atol=1e-3)
            np.testing.assert_allclose(
                levelled["cells"], region_windows.cells(face.aligned.landmarks, CROP_SIZE), atol=1e-5
            )
            patches = Patches(face.crop, face.aligned.visible)
            pixels = [
                patches.mean(r.channel, *r.patches) if r.kind == "mean" else _other(patches, r) for r in requests()
            ]
            vector, pooled = encoder.open().encode(face.crop, levelled["cells"])
            batch, _ = predictor.batch_of("", face)
            network_scores = {
                name: np.ravel([m.predict(batch) for m in predictor.models[name].models]) for name in seeing
            }
            found = run(
                scoring, landmarks=face.landmarks, pixels=pixels, vector=vector, pooled=pooled, **network_scores
            )
            of_everyone, of_few = found["scores"]
            assert of_everyone == pytest.approx([expected.score, expected.low, expected.high], abs=1e-4)
            assert of_few == pytest.approx([expected.score, np.nan, np.nan], abs=1e-4, nan_ok=True)
            assert found["members"] == pytest.approx([expected.members[name] for name in members], abs=1e-4)
            assert found["sub_scores"] == pytest.approx(list(expected.sub_scores.values()), abs=1e-4)
            features = np.array(list(expected.features.values()))
            assert (np.abs(found["features"] - features) < 1e-3 * parts.normalization.sd).all()
            explanation = predictor.explain(photo)
            moved = [
                value for part in explanation.regions.values() for value in (*part.features.values(), part.windows)
            ]
            assert found["moved"] == pytest.approx(moved, abs=1e-4)
            assert found["correction"] == pytest.approx([explanation.prediction.correction], abs=1e-4)
            heights = np.array(list(explanation.z.values()))
            assert found["z"] == pytest.approx(heights, abs=1e-3, nan_ok=True)
            unusual = predictor.novelty.measure(batch, face.landmarks[None])
            measures = [unusual[name][0] for name in predictor.novelty.limits]
            assert found.get("novelty", np.empty(0)) == pytest.approx(measures, rel=0.01, abs=1e-3)


def _other(patches: Patches, request) -> float:
    if request.kind == "spread":
        return patches.spread(request.channel, *request.patches)
    return getattr(patches, request.kind)(*request.patches)


def test_smaller_weights_change_little(workspace: Workspace):
    import onnx

    path = Path(workspace.bundle / "encoder" / "model.onnx")
    graph = onnx.load(path)
    small = compacted(graph)
    assert small.ByteSize() < 0.6 * path.stat().st_size
    face = RANDOM.integers(0, 256, (256, 256, 3), dtype=np.uint8)
    cells = np.array([[0.1, 0.1, 0.5, 0.6]], dtype=np.float32)
    vectors = []
    for each in (graph, small):
        session = onnxruntime.InferenceSession(each.SerializeToString(), providers=["CPUExecutionProvider"])
        vectors.append(session.run(["vector"], {"face": face, "cells": cells})[0])
    assert np.abs(vectors[0] - vectors[1]).max() < 3e-3 * np.abs(vectors[0]).max()
