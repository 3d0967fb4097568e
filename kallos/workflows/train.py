"""Training: a fold's rows from the store to trained models, and their predictions back into the store."""

from collections.abc import Sequence
from pathlib import Path

from featurestore.errors import UsageError
from featurestore.store import Store
from featurestore.training_sets import folds_of
from kallos.workflows.combine import combine
from kallos.workflows.cross_fit import CrossFit
from kallos.workflows.fold import Fold
from kallos.workflows.progress import OnProgress, ignore
from models.registry import ENSEMBLE, MODELS, TRAINABLE
from models.spec import Options
from reports.pages import benchmark as benchmark_page
from reports.pages import evaluation as evaluation_page
from reports.pages.benchmark_data import BenchmarkReport
from reports.pages.evaluation import EvaluationReport
from reports.stats.selection import Selection


def train(
    store: str | Path,
    models: Sequence[str] = TRAINABLE,
    *,
    protocol: str | None = None,
    fold: int = 1,
    encoder: str | None = None,
    options: Options | None = None,
    on_progress: OnProgress = ignore,
) -> EvaluationReport:
    """Train models on the training rows of one fold, and report their figures on its test rows.

    Finished runs are not trained again; interrupted ones resume.
    """
    with Store.open(Path(store), must_exist=True) as opened:
        opened.publish()
        chosen = Fold(opened, protocol, fold, encoder, on_progress)
        _train(chosen, models, options or Options())
        return evaluation_page.data(opened, Selection(protocol=chosen.protocol, fold=chosen.number))


def benchmark(
    store: str | Path,
    protocol: str,
    models: Sequence[str] = TRAINABLE,
    *,
    encoder: str | None = None,
    options: Options | None = None,
    on_progress: OnProgress = ignore,
) -> BenchmarkReport:
    """Train missing models on every fold of a protocol, and report the folds, their mean and published figures."""
    with Store.open(Path(store), must_exist=True) as opened:
        opened.publish()
        for fold in folds_of(opened, protocol):
            _train(Fold(opened, protocol, fold, encoder, on_progress), models, options or Options())
        return benchmark_page.data(opened, Selection(protocol=protocol))


def _train(fold: Fold, models: Sequence[str], options: Options) -> None:
    if unknown := set(models) - set(TRAINABLE):
        raise UsageError(f"There is no model {min(unknown)!r}: choose from {', '.join(TRAINABLE)}.")
    chosen = [CrossFit(fold, spec, options) for spec in reversed(MODELS.values()) if spec.command in models]
    for model in chosen:
        model.check()
    for model in chosen:
        model.train()
    if ENSEMBLE in models:
        combine(fold, options.seed)
