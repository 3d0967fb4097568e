"""The drawn portraits of the demo, whose truth is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import polars as pl
import polars.selectors as cs

from extractors.errors import InputError
from featurestore.ingest.columns import TableOptions
from featurestore.ingest.dataset import DataSet, conform
from featurestore.ingest.label_files import columns_of, read_csv
from featurestore.ingest.table import read_table
from featurestore.scale import Scale

NAME = "demo"
SCALE = Scale(1.0, 5.0)


def read_demo(folder: Path) -> DataSet:
    """Read `images`, `ratings.csv` (image, rater, rating) and `parameters.csv` (image, subset, numbers ...).

    The numeric parameters, the true score among them, go to `drawn_parameters`. Raises InputError when a
    file is missing.
    """
    parameters = folder / "parameters.csv"
    if not parameters.is_file():
        raise InputError(f"{folder} holds no drawn portraits: draw them with `kallos ingest demo`.")
    rated = read_table(folder / "ratings.csv", folder / "images", name=NAME, options=TableOptions(scale=SCALE)).data_set
    with columns_of(parameters):
        drawn = read_csv(parameters).with_columns(image_id=pl.format(f"{NAME}/{{}}", "image"))
        numbers = drawn.select("image_id", cs.numeric().cast(pl.Float64))
        subsets = drawn.select("image_id", "subset")
    long = numbers.unpivot(index="image_id", variable_name="parameter")
    images = rated.images.drop("subset").join(subsets, on="image_id", how="left", maintain_order="left")
    return replace(
        rated,
        files=(*rated.files, parameters),
        licence="drawn by kallos: free to use",
        images=conform("images", images),
        drawn_parameters=conform("drawn_parameters", long.drop_nulls().join(images, on="image_id", how="semi")),
    )
