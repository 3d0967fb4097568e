"""Model B among the models: with the encoder's maps, and on features alone."""

from models.spec import ModelSpec

_CLASSES = {"subscores": "models.regions.model:SubscoreModel"}
_PARTS = "models.regions.attribution:parts_by_region"

REGIONS_WITH_ENCODER = ModelSpec(
    name="b",
    summary="a small network a region, on its features and the encoder's maps; softmax weights combine them",
    fitter="models.regions.fitter:WithEncoder",
    classes=_CLASSES,
    command="b",
    needs_embeddings=True,
    combined=True,
    refitted=True,
    regions=_PARTS,
)

REGIONS_JOINT = ModelSpec(
    name="b-joint",
    summary="Model B as one network on all features and the encoder's features of the whole face",
    fitter="models.regions.fitter:Joint",
    classes=_CLASSES,
    command="b",
    needs_embeddings=True,
    regions=_PARTS,
)

REGIONS_ALONE = ModelSpec(
    name="b-features",
    summary="Model B without the encoder: features only",
    fitter="models.regions.fitter:FeaturesAlone",
    classes=_CLASSES,
    command="b",
    regions=_PARTS,
)
