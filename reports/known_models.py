"""The models that can be trained, the one that matters most first, and what each is."""

from __future__ import annotations

MODELS = {
    "ensemble": "a learnable mixing weight and a shallow correction over the frozen Models A and B",
    "a": "a torchvision network that sees the photo; learns the mean score and, where known, the raters' histogram",
    "b": "a small network a region of the face, on its features and the encoder's maps; softmax weights combine them",
    "baseline": "LightGBM on features and shapes",
    "b-features": "Model B without the encoder: features only",
    "ridge": "ridge regression on features and shapes",
}


def rank(model: str) -> int:
    """Place among the models, from 0; a model that only the store still knows comes last."""
    return list(MODELS).index(model) if model in MODELS else len(MODELS)
