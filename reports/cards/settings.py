"""The settings of a card's models, what each of them is, and what their fits chose themselves."""

from __future__ import annotations

import json
from collections.abc import Sequence

from featurestore.machine import elsewhere
from featurestore.runs import Run
from reports.render.markdown import escape, grid

CHOSEN = "chosen penalty"
MEANINGS = {
    "averaged": "whether one network predicts new photos, whose weights are the mean of those of the fits",
    "backbone": "network that the model starts from",
    "batch_size": "photos in a step of training",
    "cells": "cells a side, in which the last layer sees the network's map of the face",
    CHOSEN: "of the ridge regression: each fit takes the one that predicts its rows best, each left out in turn",
    "code_version": "version of the combiner's code",
    "components": "principal components: of the shape, or of the encoder's maps in each region",
    "computing": "number format, layout of images and threads of the training",
    "crops": "how faces were levelled and cut out",
    "directions": "squares that are kept",
    "download": "whether the weights might be fetched",
    "dropout": "share of the units before the last layer that a step leaves out",
    "ema": "decay of the moving average of the weights, which is what predicts",
    "epochs": "passes over the training rows",
    "evenness": "weight of the penalty on uneven weights of the regions",
    "feature_share": "share of the inputs that a tree is built from",
    "features": "share of the measured features in the length of a face's vector",
    "hidden": "units of the hidden layer",
    "histogram": "weight of the cross-entropy with the raters' histogram beside the squared error",
    "image_size": "side of the square that the network sees, in pixels",
    "input_dropout": "share of the inputs that a step leaves out",
    "joint": "whether one network gives all sub-scores",
    "l2": "penalty on the squared values of leaves",
    "large": "errors above it, in points of the scale, count linearly",
    "leaf_share": "of few rows, the share of them that a leaf has at least",
    "learning_rate": "share of a tree's values that is added",
    "leaves": "leaves of a tree",
    "lr": "learning rate",
    "lr_body": "peak learning rate of a backbone with weights",
    "lr_folded": "the same where batch normalisation is folded into the weights",
    "lr_head": "peak learning rate of the last layer, where the backbone has weights",
    "lr_random": "peak learning rate of both where it has none",
    "members": "runs whose scores are combined",
    "min_rows_in_leaf": "training rows that a leaf has at least",
    "num_threads": "threads of the fit",
    "optimizer": "method of optimisation",
    "penalty": "weight of the penalty on the size of the correction's weights",
    "precision": "number format of products in training",
    "refitted": "whether one more fit on all rows predicts new photos",
    "report_every": "trees between two lines of the history",
    "rounds": "trees",
    "row_share": "share of the rows that a tree is built from",
    "rows": "training rows that a fit takes at most",
    "saturation_free": "points from the middle up to which a sub-score has no penalty",
    "saturation_penalty": "weight of the penalty on sub-scores beyond that",
    "seed": "of the random numbers",
    "steps": "steps of optimisation at most",
    "training_code": "version of the code of trainings",
    "use_embedding": "whether it sees the encoder's maps",
    "view": "share of the crop's side that the network sees",
    "weight_decay": "shrinkage of the weights in a step, times the learning rate",
    "weights": "what the backbone starts from",
    "whole": "share of the encoder's features of the whole face in the length of a face's vector",
    "windows": "share of the encoder's maps by region in the length of a face's vector",
}
"""Setting -> what it is, in words."""


def settings_section(runs: Sequence[Run]) -> str:
    """The settings of each run on a line, then what they mean."""
    values = {run.model: _settings(run) for run in runs}
    lines = [
        f"- {model}: {escape(', '.join([*(f'{name} {value}' for name, value in own.items()), *_machines(run)]))}"
        for run, (model, own) in zip(runs, values.items(), strict=True)
    ]
    names = sorted({name for own in values.values() for name in own} & MEANINGS.keys())
    meanings = grid(("setting", "is"), ((escape(name), MEANINGS[name]) for name in names), text=2)
    return "Settings:\n\n" + "\n".join(lines) + f"\n\n{meanings}"


def _settings(run: Run) -> dict[str, str]:
    own = {name: json.dumps(value) for name, value in sorted(run.config.items()) if name != "fits"}
    penalties = [fit["penalty"] for fit in run.config.get("fits", {}).values() if "penalty" in fit]
    if penalties:
        ends = dict.fromkeys(f"{end(penalties):.2g}" for end in (min, max))
        own[CHOSEN] = " to ".join(ends)
    return own


def _machines(run: Run) -> list[str]:
    return [f"with fits from {machine}" for machine in elsewhere(run.config.get("fits", {}).values())]
