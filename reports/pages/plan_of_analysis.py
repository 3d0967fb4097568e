"""`kallos preregister`: what was fixed, and what of it will be compared with what is done."""

from rich.console import RenderableType

from featurestore.plans import Plan
from reports.render.layout import dim, page, plain_table, plural

NAME = "preregistration"
PROOF = (
    "A date in a store of one's own is no proof to others: send the hash to somebody who dates it, such as a registry "
    "of studies. Everything else in the file is for readers."
)


def render(plan: Plan) -> RenderableType:
    held = f"{plural(plan.ratings, 'rating')}, {plural(plan.scored, 'scored photo')} and {plural(plan.runs, 'run')}"
    rows = ((key, ", ".join(value) if isinstance(value, list) else str(value)) for key, value in plan.checked.items())
    return page(
        "Plan of analysis",
        f"of {plan.data_set}, fixed {plan.fixed_at} UTC",
        f"sha256 {plan.sha256}",
        f"The store held {held} then.",
        plain_table("compared", "planned", rows=rows, text=(0, 1)),
        dim(PROOF),
    )
