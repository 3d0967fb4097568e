"""`kallos compact`: a store made small again."""

from __future__ import annotations

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def compact(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """Drop earlier versions and values of photos that are gone, and rewrite the file without them."""
    from kallos.cli.console import out
    from kallos.workflows.upkeep import compact as compact_store
    from reports.pages.upkeep import render_compacted
    from reports.render.json import to_json

    done = compact_store(store)
    out.print_json(to_json("compacted", done)) if json else out.print(render_compacted(done))
