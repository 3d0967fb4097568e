"""`kallos plan`: what is left to extract, and why."""

from __future__ import annotations

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def plan(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """What is fresh, stale, missing, failed or orphaned, why, and how long `kallos extract` would take."""
    from kallos.cli.console import out
    from kallos.workflows.plan import plan as plan_extraction
    from reports.pages.plan import render
    from reports.render.json import to_json

    report = plan_extraction(store)
    out.print_json(to_json("plan", report)) if json else out.print(render(report))
