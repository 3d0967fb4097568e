"""Trains every fit of this training pack, and goes on where it was stopped: `python train.py`.

Needs Python 3.11 or newer, torch and torchvision, and nothing else; takes a GPU where torch sees one. When it is done,
`kallos pack take` puts what lies in results/ into the store that wrote the pack.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

# at the end of the path: the stand-in for safetensors is found where the library is not
sys.path.append(str(Path(__file__).resolve().with_name("standin")))

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file

from featurestore.records import Epoch, FaceBatch
from models.appearance import AppearanceConfig, AppearanceModel
from models.appearance_training import train_appearance
from models.backbones import Backbone
from models.weights import fill, sha256_of_file

PACK = Path(__file__).resolve().parent
QUIET = 10.0
"""Seconds between two lines within an epoch."""


def main() -> None:
    """Do every fit that has no result yet."""
    pack = json.loads((PACK / "pack.json").read_text(encoding="utf-8"))
    config = AppearanceConfig(**pack["config"])
    todo = [key for key in pack["fits"] if not (PACK / "results" / key).is_dir()]
    place = torch.cuda.get_device_name() if torch.cuda.is_available() else "the CPU"
    say(f"{len(pack['fits'])} fits, {len(pack['fits']) - len(todo)} of them done; training on {place}")
    faces = np.stack([np.asarray(Image.open(PACK / "faces" / f"{number}.jpg")) for number in range(pack["faces"])])
    clock = Clock([steps(PACK / "fits" / key, config) for key in todo])
    for number, key in enumerate(todo, start=1):
        say(f"fit {number} of {len(todo)}: {key}")
        train(key, config, pack["backbone"], faces, clock)
    say("done: take this folder back, `kallos pack take FOLDER` takes what was trained")


def train(key: str, config: AppearanceConfig, card: Mapping[str, Any], faces: NDArray[np.uint8], clock: Clock) -> None:
    """One fit, from its own rows alone."""
    fit = PACK / "fits" / key
    learned, held_out = (read_rows(fit / f"{role}.safetensors", faces) for role in ("learned", "held_out"))
    backbone = Backbone.blank(card)
    fill(backbone.network, load_file(PACK / "backbone.safetensors"), PACK)
    history: list[Epoch] = []

    def told(epoch: Epoch) -> None:
        history.append(epoch)
        say(
            f"  epoch {epoch.epoch} of {epoch.epochs}: loss {epoch.train_loss:.4f}, held out MAE {epoch.mae:.4f}, "
            f"PC {epoch.pearson:.4f}, {epoch.seconds:.1f} s"
        )

    clock.next_fit()
    model = train_appearance(backbone, learned, held_out, config, told, clock.step, PACK / "checkpoints" / key)
    keep(model, history, PACK / "results" / key)


def read_rows(file: Path, faces: NDArray[np.uint8]) -> FaceBatch:
    """What Model A sees of the rows in a file; their images have no names here."""
    rows = {name: tensor.numpy() for name, tensor in load_file(file).items()}
    n = len(rows["face"])
    return FaceBatch(
        image_ids=tuple(map(str, rows["face"])),
        feature_names=(),
        feature_regions=(),
        features=np.empty((n, 0)),
        shapes=np.empty((n, 0), np.float32),
        embeddings=np.empty((n, 0), np.float32),
        region_embeddings={},
        faces=faces[rows["face"]],
        scores=rows["scores"],
        histograms=rows["histograms"],
    )


def steps(fit: Path, config: AppearanceConfig) -> int:
    """Steps of a fit from its beginning to its end."""
    return config.epochs * -(-len(load_file(fit / "learned.safetensors")["face"]) // config.batch_size)


def keep(model: AppearanceModel, history: Sequence[Epoch], folder: Path) -> None:
    """Write a result and its checksums; it gets its name when it is whole."""
    partial = folder.with_name(f"{folder.name}.partial")
    model.save(partial)
    (partial / "history.json").write_text(json.dumps([asdict(epoch) for epoch in history]), encoding="utf-8")
    files = sorted(file for file in partial.iterdir() if file.suffix in (".json", ".safetensors"))
    checksums = "".join(f"{sha256_of_file(file)}  {file.name}\n" for file in files)
    (partial / "checksums.sha256").write_text(checksums, encoding="utf-8")
    partial.rename(folder)


class Clock:
    """Says now and then how long the rest will take, by the steps done since it was made."""

    def __init__(self, steps_of_fits: Sequence[int]) -> None:
        self._later, self._done = list(steps_of_fits), 0
        self._began = self._spoke = time.monotonic()

    def next_fit(self) -> None:
        """The first of the fits that are left begins."""
        self._later.pop(0)

    def step(self, done: int, total: int) -> None:
        """One step more; `done` of `total` in this fit."""
        self._done += 1
        now = time.monotonic()
        if now - self._spoke >= QUIET:
            left = (sum(self._later) + total - done) * (now - self._began) / self._done
            say(f"  step {done:,} of {total:,}; all fits done in {left / 60:.0f} min")
            self._spoke = now


def say(line: str) -> None:
    """One line, seen at once even where the output goes into a file."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
