"""How much a frozen encoder knows of scores: a ridge regression on each stored embedding, one fold's test rows.

    python -m benchmarks.encoders --store kallos.duckdb --protocol scut-5fold

Nothing is tuned but the penalty, which leave-one-out chooses on the training rows.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from sklearn.linear_model import RidgeCV

import kallos
from extractors.region_windows import WINDOWS
from featurestore.records import Evaluation
from featurestore.store import Store

SMALLEST = 1e-3
"""Standard deviations are taken as at least this part of the largest."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--store", type=Path, default=Path("kallos.duckdb"))
    parser.add_argument("--protocol", default="scut-5fold")
    parser.add_argument("--fold", type=int, default=1)
    arguments = parser.parse_args()
    table = Table("encoder", "features", "numbers", "PC", "MAE", "RMSE")
    with kallos.open_store(arguments.store) as store:
        rows = store.frame(
            "SELECT image_id, role, score FROM splits JOIN scores USING (image_id) "
            "WHERE protocol = $protocol AND fold = $fold ORDER BY image_id",
            protocol=arguments.protocol,
            fold=arguments.fold,
        )
        learns = rows["role"].to_numpy() != "test"
        scores = rows["score"].to_numpy()
        for (encoder,) in store.frame("SELECT DISTINCT encoder FROM embeddings ORDER BY 1").iter_rows():
            whole, windows = (
                _features(store, encoder, columns, rows["image_id"].to_list()) for columns in (["vector"], WINDOWS)
            )
            for name, features in {"pooled": whole, "windows": windows, "both": np.hstack([whole, windows])}.items():
                found = _ridge(features, scores, learns)
                table.add_row(
                    encoder,
                    name,
                    f"{features.shape[1]:,}",
                    f"{found.pearson:.4f}",
                    f"{found.mae:.4f}",
                    f"{found.rmse:.4f}",
                )
    Console().print(table)


def _features(store: Store, encoder: str, columns: Iterable[str], image_ids: list[str]) -> NDArray[np.float32]:
    """(n, width) of some columns side by side, in the order of `image_ids`."""
    names = ", ".join(columns)
    frame = store.frame(f"SELECT image_id, {names} FROM embeddings WHERE encoder = $encoder", encoder=encoder)
    by_id = {image_id: row for row, image_id in enumerate(frame["image_id"])}
    order = [by_id[image_id] for image_id in image_ids]
    return np.hstack([np.stack(frame[name].to_numpy())[order] for name in frame.columns[1:]])


def _ridge(features: NDArray[np.float32], scores: NDArray[np.float64], learns: NDArray[np.bool_]) -> Evaluation:
    centre, spread = features[learns].mean(axis=0), features[learns].std(axis=0)
    inputs = (features - centre) / np.maximum(spread, SMALLEST * spread.max())
    ridge = RidgeCV(alphas=np.geomspace(10, 1e6, 16)).fit(inputs[learns], scores[learns])
    return Evaluation.from_scores(scores[~learns], ridge.predict(inputs[~learns]))


if __name__ == "__main__":
    main()
