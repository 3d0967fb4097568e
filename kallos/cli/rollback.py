"""`kallos rollback`: return to an earlier version of an extractor."""

from typing import Annotated

import typer

from kallos.cli.options import DEFAULT_STORE, StorePath


def rollback(
    extractor: Annotated[str, typer.Argument(help="Such as geometry or embedding:NAME, as `kallos plan` lists them.")],
    store: StorePath = DEFAULT_STORE,
) -> None:
    """Return to the previous version of an extractor, and of the outputs computed from it."""
    from kallos.cli.console import note
    from kallos.workflows.upkeep import rollback as roll_back

    for name, version in roll_back(store, extractor).items():
        note(f"{name} is back at version {version[:6]}")
    note("`kallos extract` returns to the current versions, without computing stored values again.")
