"""`kallos compact`: shrink a store."""

from kallos.cli.options import DEFAULT_STORE, Json, StorePath


def compact(store: StorePath = DEFAULT_STORE, json: Json = False) -> None:
    """Drop earlier versions and values of deleted photos, and rewrite the file without them."""
    from kallos.cli.console import show
    from kallos.workflows.upkeep import compact as compact_store
    from reports.pages.upkeep import render_compacted

    compacted = compact_store(store)
    show("compacted", compacted, render_compacted, json)
