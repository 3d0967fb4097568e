"""Squared error with Adam beside what Model A learns by: optimizer and loss, each with and without the histogram.

    python -m benchmarks.losses --backbone mobilenetv1_100 --weights faces.safetensors --image-size 128 --epochs 3

Rows are training rows of one fold: part 1 is held out, and some of the others are learnt from; no test row is looked
at. Each line is one fit, printed when it ends.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.transfer import SILENT, fold_parser
from featurestore.opening import open_store
from featurestore.records import Evaluation
from featurestore.training_sets import training_set
from kallos.workflows.stored_faces import load_faces
from models.image.computing import Computing
from models.image.model import AppearanceConfig
from models.image.train import starting_backbone, train_appearance

SETTINGS = tuple(itertools.product(("adamw", "adam"), (0.3, 0.0)))


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument("--backbone", default=AppearanceConfig.backbone)
    parser.add_argument("--weights", default=AppearanceConfig.weights)
    parser.add_argument("--rows", type=int, default=1100, help="how many rows to learn from")
    parser.add_argument("--epochs", type=int, default=AppearanceConfig.epochs)
    parser.add_argument("--image-size", type=int, default=AppearanceConfig.image_size)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    arguments = parser.parse_args()
    with open_store(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder)
        learn, held_out = rows.train.take(rows.part != 1), rows.train.take(rows.part == 1)
        learn = learn.take(np.sort(np.random.default_rng(0).permutation(len(learn))[: arguments.rows]))
        learn, held_out = (
            replace(batch, faces=load_faces(store, batch.image_ids, lambda *_: None)) for batch in (learn, held_out)
        )
    print(f"{'seed':<6}{'optimizer':<11}{'histogram':>9}{'PC':>8}{'MAE':>8}{'RMSE':>8}{'CPU s':>8}")
    for seed, (optimizer, histogram) in itertools.product(range(arguments.seeds), SETTINGS):
        config = AppearanceConfig(
            backbone=arguments.backbone,
            weights=arguments.weights,
            image_size=arguments.image_size,
            epochs=arguments.epochs,
            optimizer=optimizer,
            histogram=histogram,
            seed=seed,
        )
        began = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            model = train_appearance(
                starting_backbone(config),
                learn,
                held_out,
                config,
                *(SILENT.on_epoch, SILENT.on_step, Path(folder)),
                Computing(arguments.precision, "channels_last", 1),
            )
        found = Evaluation.from_scores(held_out.scores, model.predict(held_out))
        figures = f"{found.pearson:>8.4f}{found.mae:>8.4f}{found.rmse:>8.4f}{time.process_time() - began:>8.0f}"
        print(f"{seed:<6}{optimizer:<11}{histogram:>9}{figures}", flush=True)


if __name__ == "__main__":
    main()
