"""`kallos pack write` and `kallos pack take`: Model A's fits done on a machine with a GPU, and their results back."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from kallos.commands.learn import Backbone, BatchSize, Encoder, Epochs, ImageSize, Optimizer, Precision, Seed
from kallos.commands.options import DEFAULT_STORE, Download, Fold, StorePath, Weights

pack = typer.Typer(
    help="Train Model A on another machine. A pack holds face crops, which are personal data.", no_args_is_help=True
)


@pack.command("write")
def write(
    folder: Annotated[Path, typer.Argument(help="Folder for the pack: new or empty.")],
    protocol: Annotated[str, typer.Option("--protocol", "-p", help="scut-5fold, scut-60-40, identity-disjoint ...")],
    fold: Fold = None,
    encoder: Encoder = None,
    backbone: Backbone = "efficientnet_v2_s",
    weights: Weights = "imagenet",
    download: Download = False,
    epochs: Epochs = 12,
    image_size: ImageSize = 224,
    batch_size: BatchSize = 32,
    optimizer: Optimizer = "adamw",
    precision: Precision = "auto",
    seed: Seed = 0,
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Write what every missing fit of Model A needs, of one fold or of all: rows, faces, backbone, program.

    There `python train.py` trains them, on a machine with Python 3.11, torch and torchvision alone; stopped and run
    again, it goes on. Then `kallos pack take` with the same folder.

    A pack holds face crops and scores, which are personal data: delete it when its results are taken. `kallos erase`
    removes packs below the store's runs folder (kallos.runs) and reaches none elsewhere.
    """
    from kallos.extras import TRAINING, need

    need("train", *TRAINING)
    from featurestore.store import Store
    from featurestore.training_sets import folds_of
    from kallos.console import note
    from kallos.packing import write_pack
    from models.appearance import AppearanceConfig

    config = AppearanceConfig(
        backbone=backbone,
        weights=weights,
        download=download,
        epochs=epochs,
        image_size=image_size,
        batch_size=batch_size,
        optimizer=optimizer,
        precision=precision,
        seed=seed,
    )
    with Store.open(store, must_exist=True) as opened:
        opened.publish()
        folds = [fold] if fold else folds_of(opened, protocol)
        written = write_pack(opened, protocol, folds, encoder, config, folder)
    if written is None:
        note("Nothing to do: every fit of Model A is there already.")
    else:
        note(f"wrote {folder}: {written.fits} fits, {written.faces:,} faces, {written.size / 2**20:,.1f} MiB")


@pack.command("take")
def take(
    folder: Annotated[Path, typer.Argument(help="The folder of the pack, trained in part or whole.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Put a pack's results among the store's fits, where `kallos train` and `kallos benchmark` find them.

    Nothing in the folder is run: checksums, settings and tensors are looked at first. Results must be those of a pack
    that this store wrote.
    """
    from kallos.extras import TRAINING, need

    need("train", *TRAINING)
    from featurestore.store import Store
    from kallos.console import note
    from kallos.packing import take_pack

    with Store.open(store, must_exist=True) as opened:
        taken = take_pack(opened, folder)
    note(f"took {taken.taken} fits; {taken.known} were here already, {taken.untrained} are not trained yet")
    if not taken.untrained:
        note(f"{folder} still holds face crops: delete it.")
