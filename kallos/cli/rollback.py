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
    from kallos.cli.console import note
    from kallos.workflows.upkeep import rollback as roll_back

    for name, version in roll_back(store, extractor).items():
        note(f"{name} shows version {version[:6]} again")
    note("`kallos extract` would show today's versions again, without computing anything that it still holds.")
