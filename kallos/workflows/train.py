"""What `kallos train` does: a fold's rows from the store to trained models, and what they say back to the store.

Every member is cross-fitted: one model for each part of the training rows, fitted without it. A fit is kept under a
hash of its settings and of all that it saw, so a training that was stopped finds the ones that are done, and two folds
share a fit that saw the same rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ensemble.combiner import Combiner
from ensemble.combiner_fit import CombinerConfig, fit_combiner
from ensemble.intervals import Intervals
from ensemble.novelty import NOVELTY, Novelty
from extractors.errors import KallosError
from featurestore import runs
from featurestore.duplicates import PROTOCOL as IDENTITY_DISJOINT
from featurestore.errors import OrderError, UsageError
from featurestore.outputs import encoder_weights
from featurestore.records import Epoch, Evaluation, FaceBatch
from featurestore.runs import Run
from featurestore.steps import before_training
from featurestore.store import Store
from featurestore.training_sets import TrainingSet, training_set
from kallos.cli.console import Advance, note, progress
from kallos.workflows.stored_faces import load_faces, load_landmarks
from models.appearance import AppearanceConfig
from models.appearance_training import choose_computing, starting_backbone, train_appearance
from models.baseline import BaselineConfig, train_baseline, train_ridge
from models.checkpoints import fingerprint
from models.computing import Computing
from models.crossfit import CrossFitted
from models.registry import Model, load_model
from models.saved import DESCRIPTION
from models.subscore_training import train_subscores
from models.subscores import SubscoreConfig
from models.weights import sha256_of_file
from reports.cards.write import cards

FITS, HISTORY, CHECKPOINT = "fits", "history.json", "checkpoint"
CODE_VERSION = 2
"""Raised whenever the code fits other models from the same settings and rows."""

OnEpoch = Callable[[Epoch], None]
OnStep = Callable[[int, int], None]
Fit = Callable[[FaceBatch, FaceBatch, OnEpoch, OnStep, Path], Model]
"""(learned, held out, told of epochs, told of steps done and in all, folder for checkpoints) to a trained model."""


@dataclass(frozen=True, eq=False)
class PartFit:
    """One of a member's cross-fitted models: the part that it is fitted without, its rows, and the key of its fit."""

    part: int
    key: str
    learned: FaceBatch
    held_out: FaceBatch


def fit_folder(store: Store, key: str) -> Path:
    """Where the fit of that key is kept."""
    return store.runs_folder / FITS / key


def is_fitted(store: Store, key: str) -> bool:
    """Whether the store holds the fit of that key, whole."""
    return (fit_folder(store, key) / DESCRIPTION).is_file()


class Trainer:
    """Trains models on one fold. A run that is done is not trained again; one that was stopped goes on."""

    def __init__(
        self, store: Store, protocol: str | None, fold: int, encoder: str | None, appearance: AppearanceConfig
    ) -> None:
        self._store, self._appearance = store, appearance
        self.protocol, self.fold = protocol or _only_protocol(store), fold
        self._set: TrainingSet = training_set(store, self.protocol, fold, encoder)
        note(
            f"{self.protocol} fold {fold}: {len(self._set.train)} training rows in {self._set.part.max()} parts, "
            f"{len(self._set.test)} test rows"
        )

    def train(self, whats: list[str]) -> None:
        """Train the named models in order: baseline, b, a, ensemble."""
        if "a" in whats and not runs.is_done(self._store, self._run_id("a", self._a_config)):
            starting_backbone(self._appearance)  # settings that cannot be are told before anything is trained
        steps = {"baseline": self._baselines, "a": self._a, "b": self._b, "ensemble": self._ensemble}
        for what in whats:
            steps[what]()

    def _baselines(self) -> None:
        config = BaselineConfig(seed=self._appearance.seed)
        for model, train in (("ridge", train_ridge), ("baseline", train_baseline)):

            def fit(
                learned: FaceBatch, held_out: FaceBatch, told: OnEpoch, _: OnStep, __: Path, train: Any = train
            ) -> Model:
                model: Model = train(learned, held_out, config, told)
                return model

            self._member(model, asdict(config), fit)

    def _b(self) -> None:
        for model, use_embedding in (("b-features", False), ("b", True)):
            if use_embedding and self._set.encoder is None:
                raise OrderError("The store has no embeddings for Model B: run `kallos extract` first.")
            config = SubscoreConfig(use_embedding=use_embedding, seed=self._appearance.seed)

            def fit(
                learned: FaceBatch,
                held_out: FaceBatch,
                told: OnEpoch,
                _: OnStep,
                __: Path,
                config: SubscoreConfig = config,
            ) -> Model:
                return train_subscores(learned, held_out, config, told)

            self._member(model, asdict(config), fit, encoder=self._set.encoder if use_embedding else None)

    def _a(self) -> None:
        def fit(learned: FaceBatch, held_out: FaceBatch, told: OnEpoch, on_step: OnStep, folder: Path) -> Model:
            backbone = starting_backbone(self._appearance)
            config, computing = self._appearance, self._computing
            return train_appearance(backbone, learned, held_out, config, told, on_step, folder, computing)

        weights = Path(self._appearance.weights).name
        self._member("a", self._a_config, fit, weights=weights, needs_faces=True)

    @cached_property
    def _computing(self) -> Computing:
        """How Model A computes: as its run began, or as is fastest now."""
        begun = runs.recorded_config(self._store, self._run_id("a", self._a_config))
        if "computing" in begun:
            return Computing(**begun["computing"])
        computing = choose_computing(self._appearance, starting_backbone(self._appearance))
        note(f"a: computes in {computing.precision}, {computing.layout}, by {computing.threads} threads")
        return computing

    @cached_property
    def _a_config(self) -> Mapping[str, Any]:
        """Model A's settings, with the weights by their content."""
        weights = Path(self._appearance.weights)
        return asdict(self._appearance) | {"weights": sha256_of_file(weights) if weights.is_file() else str(weights)}

    def _member(
        self,
        model: str,
        config: Mapping[str, Any],
        fit: Fit,
        *,
        weights: str = "none",
        encoder: str | None = None,
        needs_faces: bool = False,
    ) -> None:
        """Cross-fit one member, store what it says out of fold and of the test rows, and mark its run done."""
        run = self._begin(
            model, config, weights=encoder_weights(self._store, encoder) if encoder else weights, encoder=encoder
        )
        if run is None:
            return
        began = time.monotonic()
        train = self._train_with_faces if needs_faces else self._set.train
        test = self._test_with_faces if needs_faces else self._set.test
        out_of_fold, fitted = np.empty(len(train)), []
        # the others take seconds, and have no steps to count
        with progress(f"training {model}", "steps", shown=needs_faces) as advance:
            for wanted in self._part_fits(model, config, train):
                fitted.append(self._fit(run, wanted, fit, _of_all(advance, wanted.part, self._set.part.max())))
                out_of_fold[self._set.part == wanted.part] = fitted[-1].predict(wanted.held_out)
        trained = CrossFitted(fitted)
        trained.save(run.folder)
        predicted = trained.predict(test)
        with self._store.transaction():
            runs.record_predictions(self._store, run, "out_of_fold", train.image_ids, out_of_fold, train.scores)
            evaluation = runs.record_predictions(self._store, run, "test", test.image_ids, predicted, test.scores)
            if run.model in ("b", "b-features"):
                sub_scores, all_weights = trained.sub_scores(test), trained.all_weights
                runs.record_sub_scores(self._store, run, test.image_ids, sub_scores, all_weights)
            self._finish(run, time.monotonic() - began)
        note(f"{run.model}: {_figures('test', evaluation)}")

    def _part_fits(self, model: str, config: Mapping[str, Any], train: FaceBatch) -> Iterator[PartFit]:
        """The models to fit, one a part of the training rows."""
        for part in range(1, self._set.part.max() + 1):
            learned = train.take(self._set.part != part)
            key = f"{model}-{_seen(config, learned)[:16]}"
            yield PartFit(part, key, learned, train.take(self._set.part == part))

    def _fit(self, run: Run, wanted: PartFit, fit: Fit, on_step: OnStep) -> Model:
        """The model without one part: the kept one, or trained now."""
        folder, part = fit_folder(self._store, wanted.key), wanted.part
        history: list[Epoch] = []

        def told(epoch: Epoch) -> None:
            history.append(epoch)
            runs.record_epoch(self._store, run, part, epoch)
            if epoch.epoch % max(epoch.epochs // 8, 1) == 0:
                note(
                    f"  {run.model:<10} part {part}/{self._set.part.max()}  epoch {epoch.epoch:>4}/{epoch.epochs}  "
                    f"loss {epoch.train_loss:.4f}  {_figures('held out', epoch)}  {epoch.seconds:.1f} s"
                )

        if is_fitted(self._store, wanted.key):
            for line in json.loads((folder / HISTORY).read_text()):
                runs.record_epoch(self._store, run, part, Epoch(**line))
            note(f"  {run.model:<10} part {part}/{self._set.part.max()}  is fitted already")
            return load_model(folder)
        try:
            model = fit(wanted.learned, wanted.held_out, told, on_step, folder / CHECKPOINT)
        except KallosError:
            runs.discard(self._store, run)
            raise
        folder.mkdir(parents=True, exist_ok=True)
        (folder / HISTORY).write_text(json.dumps([asdict(epoch) for epoch in history]))
        model.save(folder)
        return model

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
        a, b, truth = self._member_scores(members, "out_of_fold")
        combiner = fit_combiner(a, b, truth, config)
        combined = combiner.predict(a, b)
        intervals = Intervals.fit(combined - truth, runs.subsets(self._store, self._set.train.image_ids))
        combiner.save(run.folder)
        intervals.save(run.folder)
        train = self._set.train
        Novelty.fit(train, load_landmarks(self._store, train.image_ids)).save(run.folder / NOVELTY)
        tested = combiner.predict(*self._member_scores(members, "test")[:2])
        test = self._set.test
        with self._store.transaction():
            runs.record_predictions(self._store, run, "out_of_fold", self._set.train.image_ids, combined, truth)
            evaluation = runs.record_predictions(
                self._store, run, "test", test.image_ids, tested, test.scores, intervals.everyone.interval(tested)
            )
            runs.record_combiner(self._store, run, _combined(combiner, a, b, truth))
            runs.record_intervals(self._store, run, intervals.rows())
            self._finish(run, time.monotonic() - began)
        mixing = combiner.mixing
        note(f"ensemble: weight of a {mixing:.2f}, of b {1 - mixing:.2f}; {_figures('test', evaluation)}")

    def _member_scores(
        self, members: Mapping[str, str], role: str
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Both members' stored scores of one role, and the raters' scores, by image id."""
        batch = self._set.test if role == "test" else self._set.train
        frames = [runs.predictions(self._store, members[model], role) for model in ("a", "b")]
        for frame in frames:
            if tuple(frame["image_id"]) != batch.image_ids:
                raise OrderError("A member's predictions do not cover the fold: run `kallos train all` again.")
        return frames[0]["score"].to_numpy(), frames[1]["score"].to_numpy(), batch.scores

    def _begin(
        self, model: str, config: Mapping[str, Any], *, weights: str = "none", encoder: str | None = None
    ) -> Run | None:
        """The run to train now, or None when the very same one is done already."""
        run_id = self._run_id(model, config, encoder)
        if runs.is_done(self._store, run_id):
            note(f"{model}: already trained as {run_id}")
            return None
        if model == "a":  # recorded, and no part of what the run is: it decides how fast, and the last digits
            config = {**config, "computing": asdict(self._computing)}
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

    def _finish(self, run: Run, seconds: float) -> None:
        """Mark a run as done and write its cards, inside the transaction: no run is done without them."""
        runs.finish(self._store, run, seconds)
        for name, text in cards(self._store, run.run_id).items():
            (run.folder / name).write_text(text, encoding="utf-8")

    def _run_id(self, model: str, config: Mapping[str, Any], encoder: str | None = None) -> str:
        known = json.dumps([CODE_VERSION, dict(config), self._set.manifest_id, encoder], sort_keys=True)
        return f"{self.protocol}-{self.fold}-{model}-{hashlib.sha256(known.encode()).hexdigest()[:8]}"

    @cached_property
    def _train_with_faces(self) -> FaceBatch:
        return self._with_faces(self._set.train)

    @cached_property
    def _test_with_faces(self) -> FaceBatch:
        return self._with_faces(self._set.test)

    def _with_faces(self, batch: FaceBatch) -> FaceBatch:
        with progress("reading faces", "images") as advance:
            return replace(batch, faces=load_faces(self._store, batch.image_ids, advance))


def _of_all(advance: Advance, part: int, parts: int) -> OnStep:
    """The steps of one part as steps of all: parts are of one size, so that the time left is that of the member."""
    return lambda done, total: advance((part - 1) * total + done, parts * total)


def _seen(config: Mapping[str, Any], learned: FaceBatch) -> str:
    """Hash of everything that decides a fit: its settings, and the rows and values that it learns from."""
    inputs: list[NDArray[Any]] = [learned.features, learned.shapes, *learned.region_embeddings.values()]
    if learned.faces is not None:
        inputs = [learned.faces]
    return fingerprint([CODE_VERSION, dict(config), learned.image_ids], learned.scores, learned.histograms, *inputs)


def _combined(
    combiner: Combiner, a: NDArray[np.float64], b: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float]:
    """What a combiner learnt, and what it gains out of fold."""
    return {
        "weight_a": combiner.mixing,
        "correction": combiner.correction_size(a, b),
        "pearson_a": Evaluation.of(truth, a).pearson,
        "pearson_b": Evaluation.of(truth, b).pearson,
        "pearson": Evaluation.of(truth, combiner.predict(a, b)).pearson,
    }


def _figures(role: str, measured: Epoch | Evaluation) -> str:
    return f"{role} MAE {measured.mae:.4f}  RMSE {measured.rmse:.4f}  PC {measured.pearson:.4f}"


def _only_protocol(store: Store) -> str:
    """The protocol to take when none is given: the only one that came with a data set."""
    known = store.frame("SELECT DISTINCT protocol FROM splits ORDER BY protocol")["protocol"].to_list()
    if not known:
        raise before_training(store, "The store has no protocol yet", "kallos duplicates")
    ingested = [protocol for protocol in known if not protocol.startswith(IDENTITY_DISJOINT)]
    if len(ingested) != 1:
        raise UsageError(f"The store has several protocols, choose one with --protocol: {', '.join(known)}.")
    return str(ingested[0])
