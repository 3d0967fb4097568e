"""The baselines among the models."""

from models.spec import ModelSpec

LIGHTGBM = ModelSpec(
    name="baseline",
    summary="LightGBM on features and shapes; its leaves have 20 rows, or a fifth of few",
    fitter="models.baseline.trees:TreesFitter",
    classes={"baseline": "models.baseline.trees:BaselineModel"},
    command="baseline",
    features="models.baseline.attribution:parts_by_feature",
)

RIDGE = ModelSpec(
    name="ridge",
    summary="ridge regression on features and shapes",
    fitter="models.baseline.ridge:RidgeFitter",
    classes={"ridge": "models.baseline.ridge:RidgeModel"},
    command="baseline",
    is_floor=True,
    chosen_by_fit="the penalty of the ridge regression, of 25",
)
