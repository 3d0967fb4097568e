"""What an importer is to the rest of kallos. One importer is one `Importer`; `kallos.importers.registry` lists them.

What it needs is imported inside its function, so that the command line knows it without loading it.
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


@dataclass(frozen=True)
class Importer:
    """One importer.

    name           in `kallos ingest NAME`
    read           from files to rows. Its first parameter is the file or folder. Parameters that people give are
                   `Annotated` with what they are, and the panel of the help that they stand in if it has a heading.
                   Others are given by kallos where the function has them: `store`, which may not be there yet, and
                   `on_progress`. Its docstring is the help of the command
    owns_its_name  whether no other importer may write the data set that is called as it is
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
        # the classes that it returns are imported for type checkers only
        returned = {"DataSet": Any, "TableReading": Any}
        hints = get_type_hints(self.read, localns=returned, include_extras=True)
        declared = inspect.signature(self.read).parameters
        return {name: parameter.replace(annotation=hints[name]) for name, parameter in declared.items()}

    @property
    def arguments(self) -> dict[str, inspect.Parameter]:
        """The parameters that people give; the first is the file or folder."""
        return {name: p for name, p in self.parameters.items() if hasattr(p.annotation, "__metadata__")}
