"""Training: a fold's rows from the store to trained models, and their predictions back into the store."""

from collections.abc import Sequence
from pathlib import Path

from featurestore.errors import UsageError
from featurestore.opening import open_store
from featurestore.training_sets import folds_of
from kallos.workflows.combine import combine
from kallos.workflows.cross_fit import CrossFit
from kallos.workflows.fold import Fold
from kallos.workflows.progress import OnProgress, ignore
from models.registry import ENSEMBLE, MODELS, TRAINABLE
from models.spec import Fitter, ModelSpec, Options, resolve
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
    training = _Training(models, options or Options())
    with open_store(Path(store), must_exist=True) as opened:
        opened.publish()
        chosen = Fold(opened, protocol, fold, encoder, on_progress)
        training.run(chosen)
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
    training = _Training(models, options or Options())
    with open_store(Path(store), must_exist=True) as opened:
        opened.publish()
        for fold in folds_of(opened, protocol):
            training.run(Fold(opened, protocol, fold, encoder, on_progress))
        return benchmark_page.data(opened, Selection(protocol=protocol))


class _Training:
    """The models to train and their options, which are checked before any store is opened."""

    def __init__(self, models: Sequence[str], options: Options) -> None:
        """Raises UsageError for a model that does not exist and for options that cannot be."""
        if unknown := set(models) - set(TRAINABLE):
            raise UsageError(f"There is no model {min(unknown)!r}: choose from {', '.join(TRAINABLE)}.")
        self._seed, self._is_combined = options.seed, ENSEMBLE in models
        self._fitters: list[tuple[ModelSpec, Fitter]] = [
            (spec, resolve(spec.fitter)(options)) for spec in reversed(MODELS.values()) if spec.command in models
        ]

    def run(self, fold: Fold) -> None:
        """Train them on one fold."""
        chosen = [CrossFit(fold, spec, fitter) for spec, fitter in self._fitters]
        for model in chosen:
            model.check()
        for model in chosen:
            model.train()
        if self._is_combined:
            combine(fold, self._seed)
