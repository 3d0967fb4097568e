"""The model card that every bundle carries."""

from __future__ import annotations

from ensemble.parts import Parts

_CARD = """# kallos model card

Estimates how the pool of raters behind its training data would rate a photograph of a face, on a scale of
1 to 5. **It does not measure a person's worth, health, character or attractiveness to anyone in particular.**

## Intended use
Research on rated facial aesthetics; teaching; study of such models and their limits.

## Refused uses
Decisions about people (hiring, dating, insurance, policing, ranking of persons), scoring of people without
their consent, any claim about groups of people.

## Training data
{data}

Protocol {protocol}, fold {fold}; training rows pinned by manifest {manifest_id}.
The ratings are those of one pool of raters; other pools rate otherwise.

## Weights that the networks started from
{weights}

## Figures on the test rows of that fold

| model | n | PC | MAE | RMSE | Spearman |
|---|---|---|---|---|---|
{figures}

## What the parts say
Sub-scores have no labels of their own: they are attributions of Model B, whose weights sum to one.

## Limits
One frontal face a photo. Trained and tested on one data set: figures on photos from elsewhere are lower.
"""


def model_card(parts: Parts) -> str:
    """Markdown, from what the parts themselves say."""
    on = parts.trained_on
    licences, weights = on["data_sets"], on["weights"]
    assert isinstance(licences, dict)
    assert isinstance(weights, dict)
    figures = (
        f"| {model} | {int(f['n'])} | {f['pearson']:.4f} | {f['mae']:.4f} | {f['rmse']:.4f} | {f['spearman']:.4f} |"
        for model, f in parts.evaluations.items()
    )
    return _CARD.format(
        data="\n".join(f"- {name}: {licence}" for name, licence in licences.items()),
        protocol=on["protocol"],
        fold=on["fold"],
        manifest_id=on["manifest_id"],
        weights="\n".join(f"- {model}: {label}" for model, label in weights.items()),
        figures="\n".join(figures),
    )
