"""How much a frozen encoder knows of scores: a ridge regression on each stored embedding, one fold's test rows.

    python -m benchmarks.encoders --store kallos.duckdb --protocol scut-5fold

Nothing is tuned but the penalty, which leave-one-out chooses on the training rows.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV

import kallos
from extractors.region_windows import WINDOWS
from featurestore.records import Evaluation
from models.image.start import PENALTIES
from models.standardised import spreads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("kallos.duckdb"))
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--fold", type=int, default=1)
    arguments = parser.parse_args()
    print(f"{'encoder':<34}{'features':<10}{'numbers':>8}{'PC':>8}{'MAE':>8}{'RMSE':>8}")
    with kallos.open_store(arguments.store) as store:
        for (encoder,) in store.frame("SELECT DISTINCT encoder FROM embeddings ORDER BY 1").iter_rows():
            rows = store.frame(
                f"SELECT role, score, vector, {', '.join(WINDOWS)} FROM embeddings JOIN scores USING (image_id) "
                "JOIN splits USING (image_id) WHERE protocol = $protocol AND fold = $fold AND encoder = $encoder "
                "ORDER BY image_id",
                protocol=arguments.protocol,
                fold=arguments.fold,
                encoder=encoder,
            )
            whole, windows = (
                np.hstack([np.stack(rows[name].to_numpy()) for name in names]) for names in (["vector"], WINDOWS)
            )
            for name, features in {"pooled": whole, "windows": windows, "both": np.hstack([whole, windows])}.items():
                found = _ridge(features, rows["score"].to_numpy(), rows["role"].to_numpy() != "test")
                print(
                    f"{encoder:<34}{name:<10}{features.shape[1]:>8,}{found.pearson:>8.4f}{found.mae:>8.4f}{found.rmse:>8.4f}"
                )


def _ridge(features: NDArray[np.float32], scores: NDArray[np.float64], learns: NDArray[np.bool_]) -> Evaluation:
    inputs = (features - features[learns].mean(axis=0)) / spreads(features[learns])
    ridge = RidgeCV(alphas=PENALTIES).fit(inputs[learns], scores[learns])
    return Evaluation.from_scores(scores[~learns], ridge.predict(inputs[~learns]))


if __name__ == "__main__":
    main()
