"""Where a study departs from its plan of analysis."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from featurestore.plans import COEFFICIENTS, Plan
from reports.render.layout import number, plural


@dataclass(frozen=True)
class Deviation:
    """What was planned and what was found instead, of one point."""

    point: str
    planned: str
    found: str


def deviations(plans: Sequence[Plan], found: Mapping[str, Any]) -> list[Deviation]:
    """Where the study departs from the newest of its plans, and where plans were changed or came late.

    `found` has what was done by the keys of plans: of numbers how many there are, of `models` those of the protocol.
    """
    changes = [change for before, after in pairwise(plans) for change in _changes(before, after)]
    compared = [_compared(key, planned, found.get(key)) for key, planned in plans[-1].checked.items()]
    return [*_late(plans[0]), *changes, *(deviation for deviation in compared if deviation)]


def _late(plan: Plan) -> list[Deviation]:
    known = []
    if plan.ratings or plan.scored:
        known.append(f"{plural(plan.ratings, 'rating')} and {plural(plan.scored, 'scored photo')} of {plan.data_set}")
    if plan.runs:
        known.append(plural(plan.runs, "run"))
    return [Deviation("date", "fixed before the data", f"the store had {' and '.join(known)} already")] if known else []


def _changes(before: Plan, after: Plan) -> list[Deviation]:
    """The lines that another plan has."""
    point = f"plan, changed {after.fixed_at}"
    lines = difflib.ndiff(before.text.splitlines(), after.text.splitlines())
    changed = [(line[0], line[2:]) for line in lines if line[0] in "-+" and line[2:].strip()]
    return [Deviation(point, line if sign == "-" else "–", line if sign == "+" else "–") for sign, line in changed]


def _compared(key: str, planned: Any, found: Any) -> Deviation | None:
    name = key.replace("_", " ")
    if isinstance(planned, list):
        return _compared_sets(name, planned, found or [])
    if isinstance(planned, str):
        return None if found == planned else Deviation(name, planned, str(found or "none"))
    if found is not None and found >= planned:
        return None
    digits = 3 if key in COEFFICIENTS else 0
    return Deviation(name, f"at least {number(planned, digits)}", "unknown" if found is None else number(found, digits))


def _compared_sets(name: str, planned: Sequence[str], found: Sequence[str]) -> Deviation | None:
    parts = {"without": [each for each in planned if each not in found], "also": [f for f in found if f not in planned]}
    differences = [f"{word} {', '.join(names)}" for word, names in parts.items() if names]
    return Deviation(name, ", ".join(planned), "; ".join(differences)) if differences else None
