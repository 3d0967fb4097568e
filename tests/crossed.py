"""Cases of two kinds that are crossed: every run of the tests tries a part of them, `make test-long` all."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import pytest


def crossed(
    rows: Collection[Any], columns: Sequence[Any], *, every: int, named: Callable[[Any], str] = str
) -> list[object]:
    """Each row with each column, as values of `pytest.mark.parametrize`.

    Every run tries each row with the first column, and each other column with every so many rows: so no row and no
    column is ever left out.
    """
    return [
        pytest.param(row, column, marks=() if first_or_its_turn else pytest.mark.long, id=f"{named(row)}-{column}")
        for number, column in enumerate(columns)
        for place, row in enumerate(rows)
        for first_or_its_turn in [not number or (place + number) % every == 0]
    ]
