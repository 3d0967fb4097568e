"""kallos: how a pool of raters would rate a photograph of a face, traced to features by SQL.

    import kallos

    kallos.ingest("table", "scores.csv", "kallos.duckdb", images="photos", scale=(1, 5))
    kallos.extract("kallos.duckdb")
    kallos.train("kallos.duckdb")
    kallos.report("evaluation", "kallos.duckdb").data
    with kallos.open_store("kallos.duckdb") as store:
        frame = store.frame("SELECT * FROM scores JOIN geometric_features USING (image_id)")
    scores = kallos.score("photos", bundle="bundle")

The API covers everything that the command line does. Functions print nothing: they return results, report progress to
`on_progress`, and log to the logger `kallos`. Heavy libraries are imported on first access to a function.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from extractors.errors import KallosError as KallosError
    from kallos.workflows.composite import composite as composite
    from kallos.workflows.data_quality import check as check
    from kallos.workflows.data_quality import duplicates as duplicates
    from kallos.workflows.data_quality import verify as verify
    from kallos.workflows.doctor import doctor as doctor
    from kallos.workflows.evaluate import evaluate as evaluate
    from kallos.workflows.explain import explain as explain
    from kallos.workflows.export import export as export
    from kallos.workflows.extract import extract as extract
    from kallos.workflows.face_alone import evaluate_face_alone as evaluate_face_alone
    from kallos.workflows.hub import pull as pull
    from kallos.workflows.hub import push as push
    from kallos.workflows.ingest import ingest as ingest
    from kallos.workflows.one_rater import one_rater as one_rater
    from kallos.workflows.one_rater import rate as rate
    from kallos.workflows.open import load_bundle as load_bundle
    from kallos.workflows.open import open_store as open_store
    from kallos.workflows.open import training_set as training_set
    from kallos.workflows.plan import plan as plan
    from kallos.workflows.query import feature as feature
    from kallos.workflows.query import feature_values as feature_values
    from kallos.workflows.query import features as features
    from kallos.workflows.query import sql as sql
    from kallos.workflows.query import tables as tables
    from kallos.workflows.report import report as report
    from kallos.workflows.score import score as score
    from kallos.workflows.similar import similar as similar
    from kallos.workflows.study import preregister as preregister
    from kallos.workflows.study import write_study as write_study
    from kallos.workflows.train import benchmark as benchmark
    from kallos.workflows.train import train as train
    from kallos.workflows.transformers import FaceEmbeddings as FaceEmbeddings
    from kallos.workflows.transformers import FaceGeometry as FaceGeometry
    from kallos.workflows.transformers import FaceLandmarks as FaceLandmarks
    from kallos.workflows.transformers import FaceShapes as FaceShapes
    from kallos.workflows.upkeep import compact as compact
    from kallos.workflows.upkeep import erase as erase
    from kallos.workflows.upkeep import export_store as export_store
    from kallos.workflows.upkeep import import_store as import_store
    from kallos.workflows.upkeep import rollback as rollback
    from kallos.workflows.validate import validate as validate
    from kallos.workflows.weights import add_weights as add_weights
    from kallos.workflows.weights import weights as weights
    from models.spec import Options as Options
    from reports.stats.raters.agreement import agreement as agreement
    from reports.stats.raters.variance import rater_noise as rater_noise
    from reports.stats.raters.variance import rating_variance as rating_variance
    from reports.stats.shapes.analysis import shape_analysis as shape_analysis
    from reports.stats.validity import validity as validity

_HOME = {
    "extractors.errors": ("KallosError",),
    "kallos.workflows.composite": ("composite",),
    "kallos.workflows.data_quality": ("check", "duplicates", "verify"),
    "kallos.workflows.doctor": ("doctor",),
    "kallos.workflows.evaluate": ("evaluate",),
    "kallos.workflows.explain": ("explain",),
    "kallos.workflows.export": ("export",),
    "kallos.workflows.extract": ("extract",),
    "kallos.workflows.face_alone": ("evaluate_face_alone",),
    "kallos.workflows.hub": ("pull", "push"),
    "kallos.workflows.ingest": ("ingest",),
    "kallos.workflows.one_rater": ("one_rater", "rate"),
    "kallos.workflows.open": ("load_bundle", "open_store", "training_set"),
    "kallos.workflows.plan": ("plan",),
    "kallos.workflows.score": ("score",),
    "kallos.workflows.query": ("feature", "feature_values", "features", "sql", "tables"),
    "kallos.workflows.report": ("report",),
    "kallos.workflows.similar": ("similar",),
    "kallos.workflows.study": ("preregister", "write_study"),
    "kallos.workflows.train": ("benchmark", "train"),
    "kallos.workflows.transformers": ("FaceEmbeddings", "FaceGeometry", "FaceLandmarks", "FaceShapes"),
    "kallos.workflows.upkeep": ("compact", "erase", "export_store", "import_store", "rollback"),
    "kallos.workflows.validate": ("validate",),
    "kallos.workflows.weights": ("add_weights", "weights"),
    "models.spec": ("Options",),
    "reports.stats.raters.agreement": ("agreement",),
    "reports.stats.raters.variance": ("rater_noise", "rating_variance"),
    "reports.stats.validity": ("validity",),
    "reports.stats.shapes.analysis": ("shape_analysis",),
}
_MODULE = {name: module for module, names in _HOME.items() for name in names}

__all__ = sorted(_MODULE)


def __getattr__(name: str) -> Any:
    if name not in _MODULE:
        raise AttributeError(f"kallos has no {name!r}: it has {', '.join(__all__)}.")
    return getattr(import_module(_MODULE[name]), name)


def __dir__() -> list[str]:
    return __all__
