"""`kallos compact`: shrink a store."""

from __future__ import annotations

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def compact(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """Drop earlier versions and values of deleted photos, and rewrite the file without them."""
    from kallos.cli.console import out
    from kallos.workflows.upkeep import compact as compact_store
    from reports.pages.upkeep import render_compacted
    from reports.render.json import to_json

    compacted = compact_store(store)
    out.print_json(to_json("compacted", compacted)) if json else out.print(render_compacted(compacted))
