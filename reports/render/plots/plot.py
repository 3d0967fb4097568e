"""What every kind of plot is: numbers and labels, drawn by one terminal renderer and by matplotlib, as SVG or PNG."""

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
else:
    Axes = object  # a terminal report does not wait for matplotlib to load

INK = "#333a41"
RULE = "#aab2ba"
GRID = "#e6e9ec"
"""Colours of text, axes and grid on paper; HTML puts those of its page in their place."""

MOST_TICKS = 12


class Panel(ABC):
    """What fills the axes of a picture: a plot, or a photo."""

    @property
    @abstractmethod
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""

    @abstractmethod
    def draw(self, axes: Axes) -> None:
        """By matplotlib; the axes have their colours already, and get a plot's labels afterwards."""


class Plot(Panel):
    """A plot as a report holds it. A kind of plot is a frozen dataclass of this in a file of its own."""

    x_label: str
    y_label: str
    """Empty where the names along the axis suffice."""

    @abstractmethod
    def text(self, width: int) -> Text:
        """For a terminal: lines of at most `width` characters that need no colour to be read."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield self.text(options.max_width)


def ticks(low: float, high: float) -> list[float]:
    """The whole numbers from low to high; both ends where there is none, or too many."""
    whole: list[float] = [*range(math.ceil(low), math.floor(high) + 1)]
    return whole if 0 < len(whole) <= MOST_TICKS else [low, high]
