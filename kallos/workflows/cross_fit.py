"""Cross-fitting: one model for each part of a fold's training rows, fitted without it.

Fits are stored under a hash of their settings and training data, so that an interrupted training finds the finished
ones, and two folds share a fit on the same rows.
"""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from extractors.alignment import RECIPE
from extractors.errors import KallosError
from featurestore import runs
from featurestore.errors import PrerequisiteError
from featurestore.outputs import encoder_parameters
from featurestore.records import Epoch, Evaluation, FaceBatch
from featurestore.runs import Run
from featurestore.scale import MODEL_SCALE
from featurestore.store import Store
from kallos.workflows.fold import CODE_VERSION, Fold
from kallos.workflows.side_by_side import CHECKPOINT, ORIGIN, Place, fit, fit_side_by_side, fits_at_once
from models.cross_fitted import CrossFitted
from models.image.checkpoints import fingerprint
from models.loading import load_model
from models.serialization import DESCRIPTION
from models.spec import Fitter, Listener, Model, ModelSpec, resolve
from reports.render.layout import duration

WHOLE, WATCHED = 0, 100
"""The number of the fit that leaves no part out, and how many rows it is watched on."""

SLICE = 320
"""Faces that are predicted between two steps of progress: whole batches of Model A."""

FITS = "fits"

log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class PartFit:
    """One of a model's fits: the part that it leaves out or WHOLE, its rows, and the key that it is stored under.

    held_out  the training rows that it is left to predict
    watched   the rows that its training is watched on: the fold's val rows, or where it has none, those held out
    """

    part: int
    key: str
    train: FaceBatch
    held_out: FaceBatch
    watched: FaceBatch

    @property
    def history(self) -> str:
        """The file of the epochs, by the rows watched: folds that share a fit may not share what it is watched on."""
        return f"history-{fingerprint(self.watched.image_ids)[:12]}.json"


class CrossFit:
    """One model to be trained on one fold."""

    def __init__(self, fold: Fold, spec: ModelSpec, fitter: Fitter) -> None:
        self._fold, self._spec, self._fitter = fold, spec, fitter
        self._encoder = fold.rows.encoder if spec.needs_embeddings else None

    def check(self) -> None:
        """Before any training: raises UsageError, WeightsError or PrerequisiteError for what cannot be trained."""
        if self._spec.needs_embeddings and self._encoder is None:
            raise PrerequisiteError(
                f"The store has no embeddings for model {self._spec.name}: run `kallos extract` first."
            )
        if not runs.is_done(self._fold.store, self._run_id):
            self._fitter.check()

    def train(self) -> None:
        """Fit it, store its predictions on out-of-fold and test rows, and mark its run done."""
        fold, name = self._fold, self._spec.name
        if fold.is_trained(name, self._identity, self._encoder):
            return
        # photos are read first: one that is not as it was stops the training before anything is recorded
        train, val, test = fold.with_faces if self._spec.needs_faces else fold.rows.by_role
        computing = runs.recorded_config(fold.store, self._run_id).get("computing") or self._fitter.computing()
        missing = self._missing(train, val) if computing else []
        at_once = fits_at_once(len(missing))
        if at_once > 1:
            log.info("%s: %d fits at once", name, at_once)
            computing = {**computing, "threads": torch.get_num_threads() // at_once}
        if computing:
            log.info("%s: computes in %s", name, ", ".join(f"{value} {key}" for key, value in computing.items()))
        run = fold.begin(name, self._identity, encoder=self._encoder, weights=self._weights, computing=computing)
        began = time.monotonic()
        if at_once > 1:
            self._fit_at_once(run, missing, (train, val, fold.rows.part), computing, at_once)
        trained, out_of_fold, fits = self._fit_all(run, train, val, computing)
        trained.save(run.folder)
        predicted = self._predict(trained, test, len(train))
        with fold.store.transaction():
            fold.record(run, "out_of_fold", train, out_of_fold)
            fold.record(run, "test", test, predicted)
            if self._spec.regions:
                by_region, weights = trained.sub_scores(test), trained.all_weights
                runs.record_sub_scores(fold.store, run, test.image_ids, by_region, weights)
            runs.record_fits(fold.store, run, fits)
            fold.finish(run, time.monotonic() - began)
        log.info("%s: trained in %s", name, duration(time.monotonic() - began))

    def _fit_all(
        self, run: Run, train: FaceBatch, val: FaceBatch, computing: Mapping[str, Any]
    ) -> tuple[CrossFitted, NDArray[np.float64], dict[str, dict[str, Any]]]:
        """The trained models, (n_train,) out-of-fold predictions, part -> the fit without it, its origin and choice."""
        out_of_fold, models, fits, predicted = np.empty(len(train)), [], {}, 0
        for part_fit in self._part_fits(train, val):
            models.append(self._fit_or_load(run, part_fit, computing))
            fits[str(part_fit.part)] = self._origin(part_fit.key) | _chosen(models[-1])
            is_held_out = self._fold.rows.part == part_fit.part
            out_of_fold[is_held_out] = self._predict(CrossFitted(models[-1:]), part_fit.held_out, predicted)
            predicted += len(part_fit.held_out)
        if self._spec.refitted:
            whole = self._whole_fit(train, val)
            models = [self._fit_or_load(run, whole, computing)]
            fits[str(WHOLE)] = self._origin(whole.key) | _chosen(models[-1])
        if self._averaged:
            models = [resolve(self._averaged)(models, train)]
        return CrossFitted(models), out_of_fold, fits

    def _predict(self, model: CrossFitted, batch: FaceBatch, before: int) -> NDArray[np.float64]:
        """(n,) scores of a batch, after `before` other rows of the fold; faces take a while, so it shows progress."""
        if batch.faces is None or not len(batch):
            return model.predict(batch)
        train, _, test = self._fold.rows.by_role
        scores = []
        for start in range(0, len(batch), SLICE):
            rows = np.arange(start, min(start + SLICE, len(batch)))
            scores.append(model.predict(batch.take(rows)))
            done = before + start + len(rows)
            self._fold.on_progress(done, len(train) + len(test), f"predicting with {self._spec.name}")
        return np.concatenate(scores)

    @property
    def _identity(self) -> Mapping[str, Any]:
        refitted = {"refitted": True} if self._spec.refitted else {}
        averaged = {"averaged": True} if self._averaged else {}
        crops = {"crops": RECIPE} if self._spec.needs_faces else {}
        return {**self._fitter.identity, **refitted, **averaged, **crops}

    @property
    def _averaged(self) -> str | None:
        """What makes one model of its fits; None where they started at random, and so far from each other."""
        return None if self._fitter.weights == "none" else self._spec.averaged

    @property
    def _run_id(self) -> str:
        return self._fold.run_id(self._spec.name, self._identity, self._encoder)

    @property
    def _weights(self) -> str:
        """What its encoder started from, else its own network."""
        if self._encoder is None:
            return self._fitter.weights
        return str(encoder_parameters(self._fold.store, self._encoder).get("weights"))

    def _label(self, part: int) -> str:
        return "all rows" if part == WHOLE else f"part {part}/{self._parts}"

    @property
    def _parts(self) -> int:
        return int(self._fold.rows.part.max())

    def _part_fits(self, train: FaceBatch, val: FaceBatch) -> Iterator[PartFit]:
        """The models to fit, one for each part of the training rows."""
        part_of = self._fold.rows.part
        for part in range(1, self._parts + 1):
            rows, held_out = train.take(part_of != part), train.take(part_of == part)
            yield PartFit(part, self._key(rows), rows, held_out, val if len(val) else held_out)

    def _whole_fit(self, train: FaceBatch, val: FaceBatch) -> PartFit:
        """The fit that leaves no part out; without val rows the few that it is watched on are among its own."""
        held_out = train.take(np.arange(min(len(train), WATCHED)))
        return PartFit(WHOLE, self._key(train), train, held_out, val if len(val) else held_out)

    def _key(self, rows: FaceBatch) -> str:
        return f"{self._spec.name}-{_hash_of(self._fitter.identity, rows)[:16]}"

    def _place(self, part_fit: PartFit) -> Place:
        return Place(part_fit.part, fit_folder(self._fold.store, part_fit.key), part_fit.history)

    def _missing(self, train: FaceBatch, val: FaceBatch) -> list[Place]:
        places = [self._place(part_fit) for part_fit in self._part_fits(train, val)]
        return [place for place in places if not (place.folder / DESCRIPTION).is_file()]

    def _fit_at_once(
        self,
        run: Run,
        missing: list[Place],
        rows: tuple[FaceBatch, FaceBatch, NDArray[np.int64]],
        computing: Mapping[str, Any],
        at_once: int,
    ) -> None:
        """Fit what is missing in several processes; each fit is found in its place then."""

        def on_step(done: int, total: int) -> None:
            self._fold.on_progress(done, total, f"training {run.model}")

        store, on_epoch = self._fold.store, partial(self._on_epoch, run)
        # a name that `kallos erase` removes with what killed commands left
        scratch = store.path.with_suffix(".faces")
        try:
            fit_side_by_side(self._fitter, missing, rows, computing, at_once, scratch, on_epoch, on_step)
        except KallosError:
            runs.discard(store, run)
            raise

    def _fit_or_load(self, run: Run, part_fit: PartFit, computing: Mapping[str, Any]) -> Model:
        """The model without one part: loaded if it is stored, else trained now."""
        store, part, place = self._fold.store, part_fit.part, self._place(part_fit)
        if (place.folder / DESCRIPTION).is_file():
            model = load_model(place.folder)
            for epoch in _history(place.folder, part_fit, model):
                runs.record_epoch(store, run, part, epoch)
            log.info("  %-10s %s  is fitted already", run.model, self._label(part))
            return model

        def on_step(done: int, total: int) -> None:
            # parts have the same size, so this gives the time left for the whole model
            before = self._parts if part == WHOLE else part - 1
            fits = self._parts + self._spec.refitted
            self._fold.on_progress(before * total + done, fits * total, f"training {run.model}")

        listener = Listener(partial(self._on_epoch, run, part), on_step, place.folder / CHECKPOINT)
        try:
            return fit(self._fitter, part_fit.train, part_fit.watched, place, computing, listener)
        except KallosError:
            runs.discard(store, run)
            raise

    def _on_epoch(self, run: Run, part: int, epoch: Epoch) -> None:
        if part == WHOLE:  # nothing was held out
            return
        runs.record_epoch(self._fold.store, run, part, epoch)
        if epoch.epoch % max(epoch.epochs // 8, 1) == 0:
            log.info("  %-10s %s  %s", run.model, self._label(part), _epoch_line(epoch))

    def _origin(self, key: str) -> dict[str, Any]:
        """The key of a fit and where it was made: a fit that is found may have come from another machine."""
        file = fit_folder(self._fold.store, key) / ORIGIN
        return {"fit": key, **(json.loads(file.read_text()) if file.is_file() else {})}


def _chosen(model: Model) -> dict[str, Any]:
    """What a fit of a regression with a penalty chose by its own rows."""
    penalty = getattr(model, "penalty", None)
    return {} if penalty is None else {"penalty": penalty}


def _history(folder: Path, part_fit: PartFit, model: Model) -> list[Epoch]:
    """The epochs of a stored fit on the rows that it is watched on here.

    A fold that shares it watched it on others, which are test rows here: it has the end of its training alone.
    """
    if part_fit.part == WHOLE:
        return []
    own = folder / part_fit.history
    first, *_ = [own] if own.is_file() else sorted(folder.glob("history*.json"))
    epochs = [Epoch(**row) for row in json.loads(first.read_text())]
    if first == own:
        return epochs
    found = Evaluation.from_scores(part_fit.watched.scores, CrossFitted([model]).predict(part_fit.watched))
    return [replace(epochs[-1], mae=found.mae, rmse=found.rmse, pearson=found.pearson)]


def fit_folder(store: Store, key: str) -> Path:
    """The folder of the fit with that key."""
    return store.runs_folder / FITS / key


def _epoch_line(epoch: Epoch) -> str:
    return (
        f"epoch {epoch.epoch:>4}/{epoch.epochs}  loss {epoch.train_loss:.4f}  held out MAE {epoch.mae:.3f}  "
        f"RMSE {epoch.rmse:.3f} on {MODEL_SCALE}  PC {epoch.pearson:.3f}  {epoch.seconds:.1f} s"
    )


def _hash_of(identity: Mapping[str, Any], train: FaceBatch) -> str:
    """Hash of everything that determines a fit: its settings, training rows and their values."""
    inputs: list[NDArray[Any]] = [train.features, train.shapes, train.embeddings, *train.region_embeddings.values()]
    if train.faces is not None:
        inputs = [train.faces]
    what = [CODE_VERSION, dict(identity), train.image_ids, train.networks]
    return fingerprint(what, train.scores, train.histograms, *inputs)
