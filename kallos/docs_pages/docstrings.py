"""For the API reference (mkdocs.yml): docstrings list names in columns, which Markdown would run together."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

NAME = re.compile(r"(\w[\w, ]*?) {2,}(?=\S)")


class Columns(Extension):
    """Turns columns into lists."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for every object that was read."""
        if obj.docstring:
            obj.docstring.value = with_lists(obj.docstring.value)


def with_lists(docstring: str) -> str:
    """`name   what it is` becomes an item of a list; what is indented beneath it belongs to the item."""
    lines, in_list = list[str](), False
    for line in docstring.splitlines():
        if name := NAME.match(line):
            lines += ([] if in_list else [""]) + [f"- `{name[1]}`: {line[name.end() :]}"]
            in_list = True
        else:
            in_list = in_list and line.startswith(" ")
            lines.append(f"  {line.strip()}" if in_list else line)
    return "\n".join(lines)
