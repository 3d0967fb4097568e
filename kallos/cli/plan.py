"""`kallos plan`: what is left to extract, and why."""

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def plan(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """What is fresh, stale, missing, failed or orphaned, why, and how long `kallos extract` would take."""
    from kallos.cli.console import show
    from kallos.workflows.plan import plan as plan_extraction
    from reports.pages.plan import render

    report = plan_extraction(store)
    show("plan", report, render, json)
