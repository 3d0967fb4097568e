"""A photo in a terminal with colours: two pixels a character."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.style import Style
from rich.text import Text

WIDTH = 56
"""Characters; as many pixels across."""


def terminal_photo(image: NDArray[np.uint8]) -> Text:
    """An (h, w, 3) uint8 RGB photo: the upper half of each character is one pixel, its background the one below."""
    height, width = image.shape[:2]
    small = np.asarray(Image.fromarray(image).resize((WIDTH, 2 * max(round(WIDTH * height / width / 2), 1))))
    lines = []
    for upper, lower in zip(small[::2].tolist(), small[1::2].tolist(), strict=True):
        pixels = (
            ("▀", Style(color=f"rgb({','.join(map(str, above))})", bgcolor=f"rgb({','.join(map(str, below))})"))
            for above, below in zip(upper, lower, strict=True)
        )
        lines.append(Text.assemble(*pixels))
    return Text("\n").join(lines)
