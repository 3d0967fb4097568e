"""Building blocks of the generated pages."""

import re
from textwrap import fill

GLUE = "\0"


def item(text: str) -> str:
    """An item of a list, in lines of less than 120 characters."""
    # a line that began with an operator or a number and a dot would be an item of its own
    glued = re.sub(r" (?=([-+*]|\d+\.) )", GLUE, text)
    lines = fill(f"- {glued}", 119, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)
    return lines.replace(GLUE, " ") + "\n"
