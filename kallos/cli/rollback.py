"""`kallos rollback`: an earlier version of an extractor's output, shown again."""

from __future__ import annotations

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, StorePath


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
