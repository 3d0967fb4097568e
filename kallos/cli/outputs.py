"""What a command writes where the user says; the file that stands there may be one that kallos reads.

An option or argument that names such a place has `output` as its callback. Before any other work, the command is
refused if the place is what it reads, the store, or what a data set was read from. Any other file is replaced, and the
message says so.
"""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import typer

from kallos.cli.loading import LoadingCommand

STDOUT = Path("-")
_KEY = "kallos.outputs"
_existing: set[Path] = set()
"""What stood in the places of outputs when the command began."""


def output(context: typer.Context, parameter: typer.CallbackParam, value: Path | None) -> Path | None:
    """Record the value of a parameter that names an output."""
    if value and value != STDOUT:
        context.meta.setdefault(_KEY, {})[parameter.name] = value
    return value


class OutputCommand(LoadingCommand):
    """A command that may write where the user says."""

    def invoke(self, ctx: Any) -> Any:
        """Raises InputError or UsageError where the place is taken."""
        _check(ctx.meta.get(_KEY, {}), ctx.params)
        return super().invoke(ctx)


def wrote(path: Path, detail: str = "") -> None:
    """A line on stderr: what was written, and whether something else was replaced."""
    from kallos.cli.console import note

    note(f"{'replaced' if path in _existing else 'wrote'} {path}{detail}")


def _check(outputs: dict[str, Path], parameters: dict[str, Any]) -> None:
    _existing.clear()
    places = [path.resolve() for path in outputs.values()]
    for path, place in zip(outputs.values(), places, strict=True):
        if places.count(place) > 1:
            from featurestore.errors import UsageError

            raise UsageError(f"{path} is named twice: name another place for one of them.")
        if place.exists():
            _refuse_origin(path, place, {name: value for name, value in parameters.items() if name not in outputs})
            inside = list(path.iterdir()) if path.is_dir() else []
            if inside or path.is_file():
                _existing.update([path, *inside])


def _refuse_origin(path: Path, place: Path, parameters: dict[str, Any]) -> None:
    from extractors.errors import InputError, KallosError
    from featurestore.opening import open_store
    from featurestore.origins import is_same, origin_of

    store, origin = parameters.pop("store", None), None
    if any(is_same(place, read) for read in _paths(parameters.values())):
        origin = "what this command reads"
    elif store and is_same(place, store):
        origin = "the store"
    elif store and store.is_file():
        # the command itself reports a store that cannot be opened, if it needs it
        with suppress(KallosError), open_store(store, read_only=True) as opened:
            origin = origin_of(opened, place)
    if origin:
        raise InputError(f"{path} is {origin}, and would be replaced: choose another place.")


def _paths(values: Iterable[Any]) -> Iterator[Path]:
    """The paths among the values of parameters; a text may be a photo's path."""
    from extractors.photo_files import PHOTO_SUFFIXES

    for value in values:
        if isinstance(value, list | tuple):
            yield from _paths(value)
        elif isinstance(value, Path) or str(value).lower().endswith(PHOTO_SUFFIXES):
            yield Path(value)
