"""For the API reference (mkdocs.yml): turns name lists of docstrings, aligned in columns, into Markdown lists."""

import re
from typing import Any

from griffe import Extension, Object

NAME = re.compile(r"(\w[\w, ]*?) {2,}(?=\S)")


class Columns(Extension):
    """Turns columns into lists."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Called for every loaded object."""
        if obj.docstring:
            obj.docstring.value = with_lists(obj.docstring.value)


def with_lists(docstring: str) -> str:
    """Turn `name   description` into list items; indented lines below belong to the item."""
    lines, in_list = list[str](), False
    for line in docstring.splitlines():
        if name := NAME.match(line):
            lines += ([] if in_list else [""]) + [f"- `{name[1]}`: {line[name.end() :]}"]
            in_list = True
        else:
            in_list = in_list and line.startswith(" ")
            lines.append(f"  {line.strip()}" if in_list else line)
    return "\n".join(lines)
