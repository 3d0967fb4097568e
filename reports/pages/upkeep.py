"""Results of `kallos compact` and `kallos erase`."""

from rich.console import Group, RenderableType
from rich.text import Text

from featurestore.upkeep.compacting import CompactionResult
from featurestore.upkeep.erasure import ErasureResult
from reports.render.layout import dim, page, plain_table, plural, section
from reports.render.palette import BAD, GOOD, WARM

SHOWN = 10


def render_compacted(done: CompactionResult) -> RenderableType:
    lines = [Text(f"dropped {extractor} {version[:6]}") for extractor, version in done.versions]
    if done.orphans:
        lines.append(Text(f"dropped {plural(done.orphans, 'row')} of photos that are gone"))
    if done.unverified:
        named = ", ".join(done.unverified[:SHOWN])
        lines.append(Text(f"these runs can no longer be verified, their versions are gone: {named}", style=WARM))
    sizes = f"{done.before / 2**20:,.1f} MiB before, {done.after / 2**20:,.1f} MiB after"
    return page("CompactionResult", sizes, Group(*lines) if lines else dim("There was nothing to drop."))


def render_erased(erased: ErasureResult) -> RenderableType:
    receipt = erased.receipt
    files, size = receipt.searched
    searched = f"{plural(files, 'file')}, {size / 2**20:,.1f} MiB, searched for ids, hashes, vectors and names"
    if receipt.found:
        verdict = Text(f"✗ {searched}: still found in {', '.join(receipt.found)}", style=BAD)
    else:
        verdict = Text(f"✓ {searched}: nothing found", style=GOOD)
    named = f": {', '.join(erased.image_ids[:SHOWN])}" if erased.image_ids else ""
    rows = plain_table("table", "rows erased", rows=((name, f"{n:,}") for name, n in receipt.rows.items()))
    copies = [Text(f"removed {name}, an older state of the store") for name in receipt.copies]
    return page(
        "ErasureResult",
        f"{plural(receipt.photos, 'photo')}, {plural(receipt.images, 'image')}{named}",
        rows if receipt.rows else None,
        Group(*copies) if copies else None,
        verdict,
        section("Models trained on it", _trained(receipt.trained)) if receipt.trained else None,
        _left_to_people(erased),
    )


def _trained(runs: tuple[str, ...]) -> RenderableType:
    more = [dim(f"… {len(runs) - SHOWN:,} more")] if len(runs) > SHOWN else []
    advice = dim(
        "They were not changed: train again on what is left, and export bundles again. "
        "Those from before still recognise the photo when it is shown."
    )
    return Group(*(Text(run) for run in runs[:SHOWN]), *more, advice)


def _left_to_people(erased: ErasureResult) -> RenderableType:
    lines = [dim("Copies that you made (exports, bundles' pictures, csv files) are yours to erase.")]
    if erased.photos:
        named = ", ".join(erased.photos[:SHOWN])
        lines.append(Text(f"Still in your folders, and ingested again as long as they lie there: {named}", style=WARM))
    return Group(*lines)
