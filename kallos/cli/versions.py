"""`kallos plan`, `kallos rollback` and `kallos verify`: what was computed from what, and whether it still holds."""

from __future__ import annotations

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def plan(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """What is fresh, stale, missing, failed or orphaned, why, and how long `kallos extract` would take."""
    from kallos.cli.console import out
    from kallos.workflows.plan import plan_report
    from kallos.workflows.stores import open_for_reading
    from reports.pages.plan import render
    from reports.render.json import to_json

    with open_for_reading(store) as opened:
        report = plan_report(opened)
    out.print_json(to_json("plan", report)) if json else out.print(render(report))


def verify(
    run: Annotated[str, typer.Argument(help="A run, as `kallos report training` lists them.")],
    store: StorePath = DEFAULT_STORE,
    json: Json = False,
) -> None:
    """Derive the training set of a run again and compare: rows, values, versions, statistics, roles."""
    from featurestore.errors import CheckError
    from featurestore.verification import verify as compare
    from kallos.cli.console import out
    from kallos.workflows.stores import open_for_reading
    from reports.pages.verification import render
    from reports.render.json import to_json

    with open_for_reading(store) as opened:
        report = compare(opened, run)
    out.print_json(to_json("verification", report)) if json else out.print(render(report))
    if not report.holds:
        raise CheckError(f"{run} cannot be derived again from this store: train it again, or restore what changed.")


def rollback(
    extractor: Annotated[str, typer.Argument(help="landmarks, geometry, skin, shape, fingerprint, embedding:NAME.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Show the version of an extractor that was shown before, with what was computed from it."""
    from featurestore import statistics
    from featurestore.store import Store
    from featurestore.versions import rollback as roll_back
    from kallos.cli.console import note

    with Store.open(store, must_exist=True) as opened:
        shown = roll_back(opened, extractor)
        statistics.fit(opened)
    for name, version in shown.items():
        note(f"{name} shows version {version[:6]} again")
    note("`kallos extract` would show today's versions again, without computing anything that it still holds.")
