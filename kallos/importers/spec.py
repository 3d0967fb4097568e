"""The interface of an importer, the class `Importer`; `kallos.importers.registry` lists all of them.

Importers import libraries within their function, so that the command line loads none of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_type_hints

if TYPE_CHECKING:
    from featurestore.ingest.dataset import DataSet
    from featurestore.ingest.table import TableReading

    Read = Callable[..., DataSet | TableReading]

OUTPUT = object()
"""In the annotation of a parameter: the importer writes the file that it names."""


@dataclass(frozen=True)
class Importer:
    """One importer.

    name           in `kallos ingest NAME`
    read           reads files into rows. Its first parameter is the file or folder. Parameters for users are
                   `Annotated` with their help text, and optionally with the heading of a panel in the help and with
                   `OUTPUT`. kallos passes `store`, which may not exist yet, and `on_progress` if the function has
                   these parameters. Its docstring is the help of the command
    owns_its_name  whether only this importer may write the data set of its name
    """

    name: str
    read: Read
    owns_its_name: bool = False

    @property
    def summary(self) -> str:
        """What it reads, in one line."""
        return (inspect.getdoc(self.read) or "").partition("\n")[0]

    @property
    def parameters(self) -> dict[str, inspect.Parameter]:
        """Every parameter of `read` by name, with its annotation resolved."""
        # the returned classes are imported for type checkers only
        returned = {"DataSet": Any, "TableReading": Any}
        hints = get_type_hints(self.read, localns=returned, include_extras=True)
        declared = inspect.signature(self.read).parameters
        return {name: parameter.replace(annotation=hints[name]) for name, parameter in declared.items()}

    @property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """The parameters for users; the first is the file or folder."""
        return {name: p for name, p in self.parameters.items() if hasattr(p.annotation, "__metadata__")}
