"""`kallos plan`: what is left to do for the current extractors, and the encoders of the store or the default one."""

from dataclasses import replace
from pathlib import Path

from extractors.outputs import EMBEDDING
from extractors.registry import FROM_LANDMARKS
from extractors.values import outputs
from featurestore import normalization_statistics
from featurestore.folders import is_there
from featurestore.next_step import before_extract
from featurestore.outputs import feature_versions
from featurestore.planning import PlanLine
from featurestore.planning import plan as plan_lines
from featurestore.store import Store
from kallos.engines.pool import WORKERS
from kallos.workflows.encoders import DEFAULT_WEIGHTS, known_encoders
from kallos.workflows.stores import open_for_reading
from models.spec import DEFAULT_NETWORK
from reports.pages.plan import PlanReport

START_SECONDS = 4.0
"""For worker processes to start and import MediaPipe and torch."""


def plan(store: str | Path) -> PlanReport:
    """What is fresh, stale, missing, failed or orphaned, why, and how long an extraction would take."""
    with open_for_reading(Path(store)) as opened:
        return plan_report(opened)


def plan_report(store: Store) -> PlanReport:
    """The plan as a report; nothing is written. Raises PrerequisiteError when the store has no images."""
    encoders = known_encoders(store)
    current = outputs(encoders)
    images, photos, unreadable = store.frame(
        "SELECT count(*)::INT, count(DISTINCT sha256)::INT, count(*) FILTER (sha256 IS NULL)::INT FROM images"
    ).row(0)
    if not images:
        raise before_extract(store, "The store has no photo yet")
    roots = store.column("SELECT DISTINCT root FROM locations ORDER BY root")
    lines = plan_lines(store, current)
    if not encoders:
        lines = (*lines, _default_encoder(lines[0]))
    versions = feature_versions({output.extractor: output.version for output in current})
    folds = store.frame("SELECT DISTINCT protocol, fold FROM splits WHERE role = 'train' ORDER BY ALL")
    fresh = normalization_statistics.fresh(store, versions)
    normalized: dict[str, tuple[int, int]] = {}
    for protocol, fold in folds.iter_rows():
        up_to_date, total = normalized.get(protocol, (0, 0))
        normalized[protocol] = (up_to_date + ((protocol, fold) in fresh), total + 1)
    todo = any(line.stale + line.missing for line in lines)
    absent = tuple(root for root in roots if not is_there(Path(root))) if todo else ()
    return PlanReport(images, photos, unreadable, absent, lines, normalized, _wall_seconds(lines))


def _default_encoder(landmarks: PlanLine) -> PlanLine:
    """The encoder that an extraction takes by default, whose version is known once its network is written."""
    return replace(
        landmarks,
        extractor=f"{EMBEDDING}{DEFAULT_NETWORK}",
        version=None,
        fresh=0,
        stale=0,
        missing=landmarks.fresh + landmarks.stale + landmarks.missing,
        orphaned=0,
        why=(f"the default encoder, with {DEFAULT_WEIGHTS} weights",),
        shown=None,
        seconds=None,
    )


def _wall_seconds(lines: tuple[PlanLine, ...]) -> float | None:
    """Extractors that need pixels run in parallel; those on landmarks in one process.

    Extractors without a recorded time are left out; None when none has one.
    """
    if all(line.seconds is None for line in lines):
        return None
    pixels = sum(line.seconds or 0 for line in lines if line.extractor not in FROM_LANDMARKS)
    derived = sum(line.seconds or 0 for line in lines if line.extractor in FROM_LANDMARKS)
    return derived + (pixels / WORKERS + START_SECONDS if pixels else 0)
