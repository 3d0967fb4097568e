"""Any report as JSON for programs."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, fields, is_dataclass
from pathlib import Path
from typing import Any

import polars as pl

NOT_IN_JSON = {"json": False}
"""Metadata of a field that stays out of the JSON."""


def for_pictures() -> Any:
    """A field that only plots and pictures need: it is large, stays out of the JSON, and a query gives it."""
    return field(default=(), repr=False, metadata=NOT_IN_JSON)


def to_json(name: str, report: object) -> str:
    """One JSON object: the report's fields and `schema`, `kallos.report.<name>/1`; no number becomes null.

    A report that is not an object is put under its own name.
    """
    plain = _plain(report)
    body = plain if isinstance(plain, dict) else {name: plain}
    return json.dumps({"schema": f"kallos.report.{name}/1"} | body, ensure_ascii=False, allow_nan=False)


def stream_json(name: str, items: Iterable[object]) -> Iterator[str]:
    """The JSON of a list, as `to_json` gives it, in pieces: one item at a time is in memory."""
    before = f'{{"schema": "kallos.report.{name}/1", "{name}": [\n'
    for item in items:
        yield before + json.dumps(_plain(item), allow_nan=False, indent=2)
        before = ",\n"
    yield ("\n" if before == ",\n" else before) + "]}\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value):
        named = [f.name for f in fields(value) if f.metadata.get("json", True)]
        return {name: _plain(getattr(value, name)) for name in named}
    if isinstance(value, pl.DataFrame):
        return _plain(value.to_dicts())
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, Path) else value
