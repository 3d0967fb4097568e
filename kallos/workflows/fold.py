"""One fold to train on: its rows and its runs in the store."""

import logging
from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featurestore import runs, scale_maps, selections
from featurestore.calibration import Ends
from featurestore.duplicates import PROTOCOL as IDENTITY_DISJOINT
from featurestore.enough_rows import no_protocol
from featurestore.errors import UsageError
from featurestore.joined_protocols import JOIN
from featurestore.records import FaceBatch
from featurestore.runs import Run
from featurestore.store import Store
from featurestore.training_sets import TrainingSet, training_set
from kallos.workflows.chosen_defaults import choices_behind
from kallos.workflows.progress import OnProgress
from kallos.workflows.stored_faces import load_faces
from reports.cards.write import cards

CODE_VERSION = 3
"""Raised whenever a change of code gives other models for the same settings and rows."""

log = logging.getLogger(__name__)


class Fold:
    """The rows of one fold of a protocol; by default of the only protocol that came with a data set."""

    def __init__(
        self, store: Store, protocol: str | None, number: int, encoder: str | None, on_progress: OnProgress
    ) -> None:
        """Raises UsageError, PrerequisiteError and LeakageError as `training_set`."""
        self.store, self.protocol, self.number = store, protocol or _only_protocol(store), number
        self.on_progress = on_progress
        self.rows: TrainingSet = training_set(store, self.protocol, number, encoder)
        if self.rows.maps.maps:
            reference, *others = self.rows.maps.maps
            log.info("scores of %s are linked to those of %s by their quantiles", ", ".join(others), reference)
        log.info(
            "%s fold %s: %s training rows in %s parts, %s%s test rows",
            *(self.protocol, number, len(self.rows.train), self.rows.part.max()),
            f"{len(self.rows.val)} val rows to watch, " if len(self.rows.val) else "",
            len(self.rows.test),
        )

    @cached_property
    def with_faces(self) -> tuple[FaceBatch, FaceBatch, FaceBatch]:
        """Training, val and test rows with their face crops."""
        train, val, test = map(self._with_faces, self.rows.by_role)
        return train, val, test

    def _with_faces(self, batch: FaceBatch) -> FaceBatch:
        return replace(batch, faces=load_faces(self.store, batch.image_ids, self.on_progress)) if len(batch) else batch

    def run_id(self, model: str, identity: Mapping[str, Any], encoder: str | None) -> str:
        """The id of the run of a model with these settings on these rows."""
        manifest_id, maps = self.rows.manifest_id, self.rows.maps
        return runs.id_of(model, self.protocol, self.number, _config(identity), manifest_id, encoder, maps)

    def begin(
        self,
        model: str,
        identity: Mapping[str, Any],
        *,
        encoder: str | None,
        weights: str = "none",
        computing: Mapping[str, Any] | None = None,
    ) -> Run:
        """Record a run as running. `computing` is recorded but does not change the id of the run."""
        run_id = self.run_id(model, identity, encoder)
        run = Run(
            run_id=run_id,
            model=model,
            protocol=self.protocol,
            fold=self.number,
            weights=weights,
            encoder=encoder,
            manifest_id=self.rows.manifest_id,
            config=_config(identity) | ({"computing": dict(computing)} if computing else {}),
            folder=self.store.runs_folder / run_id,
        )
        runs.begin(self.store, run)
        log.info("%s: training %s", model, run_id)
        return run

    def is_trained(self, model: str, identity: Mapping[str, Any], encoder: str | None) -> bool:
        """Whether that run is done; logged if so."""
        run_id = self.run_id(model, identity, encoder)
        if is_done := runs.is_done(self.store, run_id):
            log.info("%s: already trained as %s", model, run_id)
        return is_done

    def record(
        self, run: Run, role: str, batch: FaceBatch, predicted: NDArray[np.float64], interval: Ends | None = None
    ) -> None:
        """Store predictions (n,) of a batch, with the ends of their intervals, as scores of each image's data set."""
        own = partial(self.rows.maps.from_shared, batch.image_ids)
        ends = (own(interval[0]), own(interval[1])) if interval else None
        runs.record_predictions(self.store, run, role, batch.image_ids, own(predicted), own(batch.scores), ends)

    def finish(self, run: Run, seconds: float) -> None:
        """Mark a run as done, record the choices behind it and write its cards, in one transaction."""
        scale_maps.record(self.store, run.run_id, self.rows.maps)
        runs.finish(self.store, run, seconds)
        selections.record(self.store, run, choices_behind(run, len(self.rows.train)))
        for name, text in cards(self.store, run.run_id).items():
            (run.folder / name).write_text(text, encoding="utf-8")


def _config(identity: Mapping[str, Any]) -> dict[str, Any]:
    return {**identity, runs.TRAINING_CODE: CODE_VERSION}


def _only_protocol(store: Store) -> str:
    if not (protocols := store.column("SELECT DISTINCT protocol FROM splits ORDER BY protocol")):
        raise no_protocol(store)
    ingested = [protocol for protocol in protocols if not protocol.startswith(IDENTITY_DISJOINT)]
    if len(ingested) != 1:
        raise UsageError(
            f"The store has several protocols, choose one with --protocol: {', '.join(protocols)}. "
            f"To train on several data sets at once, join theirs by {JOIN}."
        )
    return str(ingested[0])
