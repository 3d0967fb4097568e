"""The catalogue of features: one feature is one decorated function whose docstring defines it.

    @feature("lips", unit="face widths", low=0.2, high=0.6)
    def mouth_width(face: Landmarks) -> Values:
        \"\"\"Width of the mouth.

        Formula: |right_mouth_corner - left_mouth_corner|
        Source: Farkas 1994 (ch-ch)
        \"\"\"

The function's name is the column, the docstring says what it is, formula and source, the decorator region, unit,
plausible range and what the value does not depend on. A formula that does not name its points itself has a section
`Points` after it. With `asymmetry` a function of `(face, side)` is three columns: `right_*`, `left_*` and
`*_asymmetry`, the absolute difference of the two.
"""

import functools
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from extractors.outputs import Field
from extractors.points import SKIN_PATCHES
from extractors.regions import FEATURE_REGIONS
from extractors.topologies.registry import current

Measure = TypeVar("Measure", bound=Callable[..., Any])

INVARIANT = ("scale", "translation", "roll")


@dataclass(frozen=True)
class FeatureDefinition:
    """What a column means.

    name       the column
    summary    what it is, in one sentence
    region     one of `extractors.regions.FEATURE_REGIONS`
    unit       unit of the value
    formula    in terms of the points' names
    points     names of points and contours of `extractors.topology`
    source     where the measure comes from
    low, high  plausible range, not a limit: values of unusual faces may lie outside
    invariant  what the value does not depend on: "scale", "translation", "roll"
    kind       "geometry" (from landmarks), "skin" (from pixels) or "normalization" (from a fold's training rows)
    version    raised by one whenever the formula gives other values
    """

    name: str
    summary: str
    region: str
    unit: str
    formula: str
    points: tuple[str, ...]
    source: str
    low: float
    high: float
    invariant: tuple[str, ...]
    kind: str
    version: int

    @property
    def plain_name(self) -> str:
        """`mouth to nose width`."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Feature:
    """A definition and the function that measures it."""

    definition: FeatureDefinition
    measure: Callable[[Any], Any]


GEOMETRIC: dict[str, Feature] = {}
SKIN: dict[str, Feature] = {}
_REGISTRIES = {"geometry": GEOMETRIC, "skin": SKIN}
FEATURES_COMMENT = "one row an image: geometric and skin features, one column each, see feature_catalog"


def feature(
    region: str,
    *,
    unit: str,
    low: float,
    high: float,
    asymmetry: float | None = None,
    invariant: tuple[str, ...] = INVARIANT,
    kind: str = "geometry",
    version: int = 1,
) -> Callable[[Measure], Measure]:
    """Register a function of one argument as the column of its name.

    With `asymmetry`, the high end of the third, one of `(face, side)` as three columns; the docstring writes {side}
    where right or left stands.
    """

    def register(measure: Measure) -> Measure:
        summary, formula, points, source = _sections(measure)
        define = functools.partial(
            FeatureDefinition, region=region, unit=unit, source=source, invariant=invariant, kind=kind, version=version
        )
        name = measure.__name__
        if asymmetry is None:
            _add(define(name, summary=summary, formula=formula, points=points, low=low, high=high), measure)
            return measure
        side_summary = summary[0].lower() + summary[1:]
        sides = {side: tuple(p.replace("{side}", side) for p in points) for side in ("right", "left")}
        for side, named in sides.items():
            _add(
                define(
                    f"{side}_{name}",
                    summary=f"On the {side}: {side_summary}",
                    formula=formula.replace("{side}", side),
                    points=named,
                    low=low,
                    high=high,
                ),
                functools.partial(measure, side=side),
            )
        _add(
            define(
                f"{name}_asymmetry",
                # what follows a colon or semicolon is a remark on one side's value, such as "a smile has more"
                summary=f"Difference between right and left: {re.split('[:;]', side_summary)[0].rstrip('.')}.",
                formula=f"|right_{name} - left_{name}|",
                points=tuple(dict.fromkeys(sides["right"] + sides["left"])),
                low=0.0,
                high=asymmetry,
            ),
            lambda face: abs(measure(face, "right") - measure(face, "left")),
        )
        return measure

    return register


def definitions_of(kind: str) -> list[FeatureDefinition]:
    """The features of one kind, in the order of their columns."""
    return [feature.definition for feature in _REGISTRIES[kind].values()]


def fields_of(kind: str) -> tuple[Field, ...]:
    """A field a feature of one kind."""
    return tuple(
        Field(d.name, "float64", f"{d.summary} {d.formula} [{d.unit}] {d.source}", d.version)
        for d in definitions_of(kind)
    )


def _add(definition: FeatureDefinition, measure: Callable[[Any], Any]) -> None:
    if definition.region not in FEATURE_REGIONS:
        raise ValueError(f"{definition.name}: no region {definition.region!r}")
    registry = _REGISTRIES[definition.kind]
    if definition.name in registry:
        raise ValueError(f"{definition.name} is registered twice")
    registry[definition.name] = Feature(definition, measure)


def _sections(measure: Callable[..., Any]) -> tuple[str, str, tuple[str, ...], str]:
    """Summary, formula, points and source out of a docstring; a section runs until the next one."""
    summary, _, text = (inspect.getdoc(measure) or "").partition("\n\n")
    sections = re.findall(r"^(Formula|Points|Source): (.+?)(?=^\w+: |\Z)", text, re.MULTILINE | re.DOTALL)
    found = {name: " ".join(content.split()) for name, content in sections}
    points = tuple(found["Points"].split(", ")) if "Points" in found else _points_in(found.get("Formula", ""))
    found["Points"] = ", ".join(points)
    if missing := [name for name in ("Formula", "Points", "Source") if not found.get(name)]:
        raise ValueError(f"the docstring of {measure.__name__} lacks {', '.join(missing)}")
    return " ".join(summary.split()), found["Formula"], points, found["Source"]


def _points_in(formula: str) -> tuple[str, ...]:
    """The points and contours that a formula names, in order; last those of the skin, which it calls the patches."""
    known = current().points.keys() | current().contours.keys()
    words = re.findall(r"[{}a-z_]+", formula)
    named = [word for word in words if word.replace("{side}", "right") in known]
    return tuple(dict.fromkeys((*named, *(SKIN_PATCHES if "patches" in words else ()))))
