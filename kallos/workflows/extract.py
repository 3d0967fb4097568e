"""Extraction: landmarks, features, shapes, fingerprints and embeddings of every photo of a store."""

import time
from dataclasses import dataclass
from pathlib import Path

from featurestore import normalization_statistics
from featurestore.errors import UsageError
from featurestore.opening import open_store
from kallos.engines.engine import Engine
from kallos.engines.extraction import Extracted
from kallos.engines.extraction import extract as bring_up_to_date
from kallos.workflows.encoders import chosen_encoders
from kallos.workflows.extras import need
from kallos.workflows.progress import OnProgress, ignore
from reports.pages.extraction import ExtractionReport, summary

ENGINES = ("local", "ray")


@dataclass(frozen=True)
class Extraction:
    """Counts of an extraction, its duration in seconds, and a summary of what the store holds now."""

    counts: Extracted
    seconds: float
    report: ExtractionReport


def extract(
    store: str | Path,
    *,
    encoder: str | None = None,
    weights: str | None = None,
    download: bool = False,
    retry_failed: bool = False,
    engine: str = "local",
    on_progress: OnProgress = ignore,
) -> Extraction:
    """Compute the current-version outputs that photos lack, then the normalised features of every fold.

    `engine` is where extractors run: this machine, or the Ray cluster of RAY_ADDRESS. After an interruption the next
    call resumes. Raises as `chosen_encoders` and `kallos.engines.extraction.extract`.
    """
    began, chosen_engine = time.monotonic(), _engine(engine)
    with open_store(Path(store), must_exist=True) as opened:
        encoders = chosen_encoders(opened, encoder, weights, download, on_progress)
        counts = bring_up_to_date(opened, encoders, on_progress, retry_failed=retry_failed, engine=chosen_engine)
        normalization_statistics.fit(opened)
        return Extraction(counts, time.monotonic() - began, summary(opened))


def _engine(name: str) -> Engine:
    if name not in ENGINES:
        raise UsageError(f"There is no engine {name!r}: choose from {', '.join(ENGINES)}.")
    if name == "ray":
        need("ray", "ray")
        from kallos.engines.ray_cluster import extract_on_ray

        return extract_on_ray
    from kallos.engines.local import extract_locally

    return extract_locally
