"""Model A among the models."""

from models.spec import ModelSpec

IMAGE = ModelSpec(
    name="a",
    summary="a network that sees the photo; learns the mean score and, where known, the raters' histogram",
    fitter="models.image.fitter:ImageFitter",
    classes={
        "appearance": "models.image.model:AppearanceModel",
        "appearance-graph": "models.image.graph:AppearanceGraph",
    },
    command="a",
    needs_faces=True,
    combined=True,
    averaged="models.image.averaging:average",
    chosen_by_fit="the penalty, of 16, of the ridge regression that a head with weights starts from",
    graphs="models.image.export:replace_by_graphs",
)
