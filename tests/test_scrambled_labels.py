"""Labels that a model must not see change nothing: of test rows, on a small store, for every model of the registry."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import polars as pl
import pytest

from featurestore.store import Store
from kallos.workflows.combine import combine
from kallos.workflows.cross_fit import CrossFit
from kallos.workflows.fold import Fold
from kallos.workflows.progress import ignore
from models.baseline import trees
from models.baseline.inputs import BaselineConfig
from models.regions.fitter import FeaturesAlone, Joint, WithEncoder
from models.registry import ENSEMBLE, MODELS
from models.spec import Options, resolve
from tests.synthetic_store import PROTOCOL, make_store, read_photos

QUICK = Options(backbone="squeezenet1_1", weights="none", precision="float32", image_size=32, epochs=1)
SCRAMBLED = (
    "UPDATE scores SET score = 6 - score, mean = 6 - mean, histogram = list_reverse(histogram) WHERE image_id IN (FROM tested)",
    "UPDATE ratings SET rating = 6 - rating WHERE image_id IN (FROM tested)",
)


def trained(folder: Path, *changes: str) -> dict[str, pl.DataFrame]:
    """model -> predictions of a small store whose test rows of fold 1 were changed before anything was trained."""
    with make_store(folder / "s.duckdb", 48, trained=False) as store:
        store.execute(
            "CREATE TEMP TABLE tested AS SELECT image_id FROM splits WHERE protocol = $p AND fold = 1 AND role = 'test'",
            p=PROTOCOL,
        )
        for change in changes:
            store.execute(change)
        fold = Fold(store, PROTOCOL, 1, "tiny", ignore)
        for spec in MODELS.values():
            CrossFit(fold, spec, resolve(spec.fitter)(QUICK)).train()
        combine(fold, QUICK.seed)
        return {model: predictions_of(store, model) for model in (*MODELS, ENSEMBLE)}


def predictions_of(store: Store, model: str) -> pl.DataFrame:
    return store.frame(
        "SELECT role, image_id, p.score, low, high FROM predictions p JOIN runs USING (run_id) WHERE model = $model ORDER BY ALL",
        model=model,
    )


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, pl.DataFrame], dict[str, pl.DataFrame]]:
    """Predictions with the labels as they are, and with those of the test rows turned round; quickly trained."""
    with pytest.MonkeyPatch.context() as patched:
        read_photos(patched)
        for form in (WithEncoder, Joint, FeaturesAlone):
            patched.setattr(form, "epochs", 5)
        patched.setattr(trees, "BaselineConfig", partial(BaselineConfig, rounds=20))
        return trained(tmp_path_factory.mktemp("true")), trained(tmp_path_factory.mktemp("scrambled"), *SCRAMBLED)


@pytest.mark.parametrize("model", [*MODELS, ENSEMBLE])
def test_scrambled_labels_of_test_rows_change_no_prediction(stores, model):
    true, scrambled = (predictions[model] for predictions in stores)
    assert set(true["role"]) == {"out_of_fold", "test"}
    assert true.equals(scrambled)


def test_labels_of_training_rows_do_change_them(tmp_path):
    """What is changed above would be noticed."""
    turned = "UPDATE scores SET score = 6 - score WHERE image_id NOT IN (FROM tested)"
    with make_store(tmp_path / "s.duckdb", 48, trained=False) as store:
        before = Fold(store, PROTOCOL, 1, "tiny", ignore).rows
        store.execute(
            "CREATE TEMP TABLE tested AS SELECT image_id FROM splits WHERE protocol = $p AND fold = 1 AND role = 'test'",
            p=PROTOCOL,
        )
        store.execute(turned)
        after = Fold(store, PROTOCOL, 1, "tiny", ignore).rows
    assert before.manifest_id != after.manifest_id
