"""Every model. A new one is a file with its `ModelSpec`, and one line here."""

from models.baseline.spec import LIGHTGBM, RIDGE
from models.image.spec import IMAGE
from models.quadratic.spec import QUADRATIC
from models.regions.spec import REGIONS_ALONE, REGIONS_JOINT, REGIONS_WITH_ENCODER
from models.spec import ModelSpec

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        IMAGE,
        REGIONS_WITH_ENCODER,
        QUADRATIC,
        REGIONS_JOINT,
        LIGHTGBM,
        REGIONS_ALONE,
        RIDGE,
    )
}
"""By name, the one that matters most first."""

COMBINED = tuple(spec.name for spec in MODELS.values() if spec.combined)
"""What the ensemble combines."""

FLOORS = tuple(spec.name for spec in MODELS.values() if spec.is_floor)
"""The simple models that any other should beat."""

BUNDLED = tuple(spec.name for spec in MODELS.values() if spec.bundled)
"""What a bundle carries beside the ensemble."""

ENSEMBLE = "ensemble"
"""What the combination of models is called among them."""

TRAINABLE = (*dict.fromkeys(spec.command for spec in reversed(MODELS.values())), ENSEMBLE)
"""What can be named to be trained, the quick ones first, the ensemble over all of them last."""

FAST = tuple(
    name for name in TRAINABLE if not any(spec.needs_faces for spec in MODELS.values() if spec.command == name)
)
"""What learns from stored numbers alone: minutes instead of hours."""

SUMMARIES = {ENSEMBLE: "learnable mixing weights and a shallow correction over the frozen members"} | {
    name: spec.summary for name, spec in MODELS.items()
}
"""What each is, the one that matters most first."""


def rank(model: str) -> int:
    """Place among the models, from 0; a model that only the store still knows comes last."""
    names = list(SUMMARIES)
    return names.index(model) if model in names else len(names)
