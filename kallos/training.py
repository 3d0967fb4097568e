"""What `kallos train` does: a fold's rows from the store to trained models, and what they say back to the store."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.combiner import CombinerConfig, fit_combiner
from extractors.faces import load_faces
from featurestore import runs
from featurestore.duplicates import PROTOCOL as IDENTITY_DISJOINT
from featurestore.errors import KallosError, OrderError, UsageError
from featurestore.outputs import encoder_weights
from featurestore.records import Epoch, Evaluation, FaceBatch
from featurestore.runs import Run
from featurestore.store import Store
from featurestore.training_sets import TrainingSet, training_set
from kallos.console import note, progress
from models.appearance import AppearanceConfig, train_appearance
from models.baseline import BaselineConfig, train_baseline, train_ridge
from models.registry import Model
from models.subscores import SubscoreConfig, SubscoreModel, train_subscores


class Trainer:
    """Trains models on one fold. A run that is done is not trained again; one that was stopped goes on."""

    def __init__(
        self, store: Store, protocol: str | None, fold: int, encoder: str | None, appearance: AppearanceConfig
    ) -> None:
        self._store, self._appearance = store, appearance
        self.protocol, self.fold = protocol or _only_protocol(store), fold
        self._set: TrainingSet = training_set(store, self.protocol, fold, encoder)
        note(
            f"{self.protocol} fold {fold}: {len(self._set.train)} training rows, of which "
            f"{int(self._set.validation.sum())} for validation, {len(self._set.test)} test rows"
        )

    def train(self, whats: list[str]) -> None:
        """Train the named models in order: baseline, a, b, ensemble."""
        steps = {"baseline": self._baselines, "a": self._a, "b": self._b, "ensemble": self._ensemble}
        for what in whats:
            steps[what]()

    def _baselines(self) -> None:
        config = BaselineConfig(seed=self._appearance.seed)
        for model, fit in (("ridge", train_ridge), ("baseline", train_baseline)):
            if run := self._begin(model, asdict(config)):
                began = time.monotonic()
                trained = fit(self._set.train, self._set.validation, config, self._on_epoch(run))
                self._finish(run, trained, self._set.train, self._set.test, began)

    def _b(self) -> None:
        for model, use_embedding in (("b-features", False), ("b", True)):
            if use_embedding and self._set.encoder is None:
                raise OrderError("The store has no embeddings for Model B: run `kallos extract` first.")
            config = SubscoreConfig(use_embedding=use_embedding, seed=self._appearance.seed)
            encoder = self._set.encoder if use_embedding else None
            weights = encoder_weights(self._store, encoder) if encoder else "none"
            if run := self._begin(model, asdict(config), weights=weights, encoder=encoder):
                began = time.monotonic()
                trained = train_subscores(self._set.train, self._set.validation, config, self._on_epoch(run))
                self._finish(run, trained, self._set.train, self._set.test, began)

    def _a(self) -> None:
        weights = Path(self._appearance.weights).name
        run = self._begin("a", asdict(self._appearance), weights=weights)
        if run is None:
            return
        began = time.monotonic()
        checkpoint = run.folder / "checkpoint"
        try:
            train, test = self._with_faces(self._set.train), self._with_faces(self._set.test)
            with progress("training a", "steps") as advance:
                trained = train_appearance(
                    train, self._set.validation, self._appearance, self._on_epoch(run), advance, checkpoint
                )
        except KallosError:
            runs.discard(self._store, run)
            raise
        self._finish(run, trained, train, test, began)

    def _ensemble(self) -> None:
        latest = runs.latest(self._store, self.protocol, self.fold)
        if missing := [model for model in ("a", "b") if model not in latest]:
            raise OrderError(
                f"The combiner needs a trained {' and '.join(missing)}: `kallos train {missing[0]}` first."
            )
        members = {model: latest[model] for model in ("a", "b")}
        for model, run_id in members.items():
            if runs.load(self._store, run_id).manifest_id != self._set.manifest_id:
                raise OrderError(
                    f"The newest {model} was trained on other rows or features: run `kallos train {model}` again."
                )
        config = CombinerConfig(seed=self._appearance.seed)
        run = self._begin("ensemble", asdict(config) | {"members": members}, encoder=self._set.encoder)
        if run is None:
            return
        began = time.monotonic()
        a, b, truth = self._member_scores(members, "validation")
        combiner = fit_combiner(a, b, truth, config)
        a, b, truth = self._member_scores(members, "test")
        evaluation = runs.record_predictions(
            self._store, run, "test", self._set.test.image_ids, combiner.predict(a, b), truth
        )
        combiner.save(run.folder)
        runs.finish(self._store, run, time.monotonic() - began)
        mixing = combiner.mixing
        note(f"ensemble: weight of a {mixing:.2f}, of b {1 - mixing:.2f}; {_figures('test', evaluation)}")

    def _member_scores(
        self, members: Mapping[str, str], role: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Both members' stored scores of one role, and the raters' scores, by image id."""
        batch = self._set.test if role == "test" else self._set.train.take(self._set.validation)
        frames = [runs.predictions(self._store, members[model], role) for model in ("a", "b")]
        for frame in frames:
            if tuple(frame["image_id"]) != batch.image_ids:
                raise OrderError("A member's predictions do not cover the fold: run `kallos train all` again.")
        return frames[0]["score"].to_numpy(), frames[1]["score"].to_numpy(), batch.scores

    def _begin(
        self, model: str, config: Mapping[str, Any], *, weights: str = "none", encoder: str | None = None
    ) -> Run | None:
        """The run to train now, or None when the very same one is done already."""
        known = json.dumps([dict(config), self._set.manifest_id, encoder], sort_keys=True)
        run_id = f"{self.protocol}-{self.fold}-{model}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"
        if runs.is_done(self._store, run_id):
            note(f"{model}: already trained as {run_id}")
            return None
        run = Run(
            run_id=run_id,
            model=model,
            protocol=self.protocol,
            fold=self.fold,
            weights=weights,
            encoder=encoder,
            manifest_id=self._set.manifest_id,
            config=config,
            folder=self._store.runs_folder / run_id,
        )
        runs.begin(self._store, run)
        note(f"{model}: training {run_id}")
        return run

    def _on_epoch(self, run: Run) -> Any:
        def record(epoch: Epoch) -> None:
            runs.record_epoch(self._store, run, epoch)
            note(
                f"  {run.model:<10} epoch {epoch.epoch:>4}/{epoch.epochs}  loss {epoch.train_loss:.4f}  "
                f"{_figures('validation', epoch)}  {epoch.seconds:.1f} s"
            )

        return record

    def _finish(self, run: Run, trained: Model, train: FaceBatch, test: FaceBatch, began: float) -> None:
        """Save the model, store its predictions of the validation slice and of the test rows, mark it done."""
        trained.save(run.folder)
        with self._store.transaction():
            for role, batch in (("validation", train.take(self._set.validation)), ("test", test)):
                predicted = trained.predict(batch)
                evaluation = runs.record_predictions(self._store, run, role, batch.image_ids, predicted, batch.scores)
            if isinstance(trained, SubscoreModel):
                runs.record_sub_scores(self._store, run, test.image_ids, trained.sub_scores(test), trained.weights)
            runs.finish(self._store, run, time.monotonic() - began)
        note(f"{run.model}: {_figures('test', evaluation)}")

    def _with_faces(self, batch: FaceBatch) -> FaceBatch:
        with progress("reading faces", "images") as advance:
            return replace(batch, faces=load_faces(self._store, batch.image_ids, advance))


def _figures(role: str, measured: Epoch | Evaluation) -> str:
    return f"{role} MAE {measured.mae:.4f}  RMSE {measured.rmse:.4f}  PC {measured.pearson:.4f}"


def _only_protocol(store: Store) -> str:
    """The protocol to take when none is given: the only one that came with a data set."""
    known = store.frame("SELECT DISTINCT protocol FROM splits ORDER BY protocol")["protocol"].to_list()
    if not known:
        raise OrderError("The store has no images with a protocol yet: run `kallos ingest` first.")
    ingested = [protocol for protocol in known if protocol != IDENTITY_DISJOINT]
    if len(ingested) != 1:
        raise UsageError(f"The store has several protocols, choose one with --protocol: {', '.join(known)}.")
    return str(ingested[0])
