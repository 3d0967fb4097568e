"""Recipes of outputs, as `Output.recipe` writes them: what of one is used, and how two differ."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from extractors.averageness import DEFINITION
from extractors.outputs import FEATURES, Output, column

Recipe = Mapping[str, Any]
Uses = Mapping[str, Recipe]
"""extractor -> its recipe, with the columns that are used and no others."""

NORMALIZATION: Uses = {
    "normalization": {
        "code_version": 1,
        "columns": [column(DEFINITION.name, DEFINITION.version)],
        "parameters": {},
        "inputs": [],
    }
}
"""Of averageness, which every model sees and no extractor measures."""


def names_in(recipe: Recipe) -> list[str]:
    """The names of a recipe's columns, which are written `name`, or `name@2` when the formula has been changed."""
    return [column.split("@")[0] for column in recipe["columns"]]


def only(recipe: Recipe, names: Collection[str]) -> Recipe:
    """The recipe with no columns but these."""
    columns = [column for column, name in zip(recipe["columns"], names_in(recipe), strict=True) if name in names]
    return {**recipe, "columns": columns}


def changes(before: Recipe, now: Recipe) -> list[str]:
    """How a recipe differs from an earlier one of the same extractor, a phrase a difference."""
    found = _column_changes(before, now)
    for key in sorted(before["parameters"].keys() | now["parameters"].keys()):
        was, is_now = (str(recipe["parameters"].get(key))[:16] for recipe in (before, now))
        if was != is_now:
            found.append(f"{key} {was} → {is_now}")
    if before["code_version"] != now["code_version"]:
        found.append(f"code version {before['code_version']} → {now['code_version']}")
    if before["inputs"] != now["inputs"]:
        found.append("the landmarks have changed")
    return found


def _column_changes(before: Recipe, now: Recipe) -> list[str]:
    earlier, current = (dict(zip(names_in(recipe), recipe["columns"], strict=True)) for recipe in (before, now))
    changed = [name for name in current if name in earlier and current[name] != earlier[name]]
    return [
        *(f"another formula of {name}" for name in changed),
        *(f"new column {name}" for name in current if name not in earlier),
        *(f"no column {name} any more" for name in earlier if name not in current),
    ]


def differences(uses: Uses, computed: Uses) -> dict[str, list[str]]:
    """extractor -> how what is used of it differs from what is computed; columns that are not used do not count."""
    computed = {**computed, **NORMALIZATION}
    found = {
        extractor: changes(recipe, only(computed[extractor], names_in(recipe)))
        if extractor in computed
        else ["not computed"]
        for extractor, recipe in uses.items()
    }
    return {extractor: differing for extractor, differing in found.items() if differing}


def described(differing: Mapping[str, Sequence[str]]) -> str:
    """Such as `geometry: another formula of jaw_width; skin: code version 1 → 2`."""
    return "; ".join(f"{extractor}: {', '.join(phrases)}" for extractor, phrases in differing.items())


def had_version(output: Output, version: str, features: Sequence[str]) -> bool:
    """Whether an output has that version, or had it before features were added that are not among these."""
    fields = {field.name: field for field in output.fields}
    earlier = replace(output, fields=tuple(fields[name] for name in features if name in fields))
    return version in (output.version, earlier.version if output.view == FEATURES else None)


def of_outputs(outputs: Sequence[Output]) -> Uses:
    """extractor -> recipe of what is computed today."""
    return {output.extractor: json.loads(output.recipe) for output in outputs}
