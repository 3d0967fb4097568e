"""The quadratic model among the models."""

from models.spec import ModelSpec

QUADRATIC = ModelSpec(
    name="quadratic",
    summary="a quadratic function of the encoder's maps, its features of the whole face, and measured features",
    fitter="models.quadratic.train:QuadraticFitter",
    classes={"quadratic": "models.quadratic.model:QuadraticModel"},
    command="quadratic",
    needs_embeddings=True,
    combined=True,
    refitted=True,
    chosen_by_fit="the penalty of the kernel ridge regression, of 9",
)
