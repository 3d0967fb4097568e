"""The section of a model card on choices that were made by looking at photos, from the table `selections`."""

from featurestore.selections import Seen
from reports.cards.model_card import ModelCard
from reports.render.layout import plural
from reports.render.markdown import escape, grid
from reports.stats.choices import most_seen

LISTS = '`kallos sql "FROM selections"` lists them'


def choices_section(card: ModelCard) -> str:
    """Those about protocols of the store in a table, with how many test photos they looked at; the others counted."""
    known = [choice for choice in card.choices if choice.seen is not None]
    unknown = [choice for choice in card.choices if choice.seen is None]
    parts = [
        "## What was chosen by looking at scores of photos",
        None if card.choices else "No choice is on record for these runs.",
        _table(known) if known else None,
        _elsewhere(unknown) if unknown else None,
    ]
    return "\n\n".join(part for part in parts if part)


def verdict(card: ModelCard) -> str | None:
    """Whether figures on the test photos may be too good, in a sentence that stands above them."""
    test = card.main.roles.get("test")
    if test is None or not card.choices:
        return None
    if seen := most_seen(card.choices):
        return (
            f"**Choices behind this model looked at up to {seen:,} of its {test.n:,} test photos: its figures on them "
            "may be too good**; they are listed below."
        )
    return f"No choice on record is known to have looked at one of its {test.n:,} test photos."


def _table(known: list[Seen]) -> str:
    columns = ("choice", "of", "rows looked at", "on", "compared by", "effect", "these rows", "test photos among them")
    rows = (
        (
            escape(choice.choice),
            ", ".join(map(escape, choice.models)),
            _rows(choice),
            choice.made_on,
            escape(choice.metric),
            escape(choice.effect or "–"),
            choice.basis,
            f"up to {choice.seen:,}" if choice.seen else "0",
        )
        for choice in known
    )
    return (
        f"{grid(columns, rows, text=7)}\n\nEffects are as they were recorded, of single fits and without intervals. "
        "These rows *decided* the choice, or figures on them were only *known* when other rows decided it."
    )


def _rows(choice: Seen) -> str:
    fold = "every fold" if choice.fold is None else f"fold {choice.fold}"
    return f"{choice.row_count:,} of {escape(choice.protocol)}, {fold}, {escape(choice.role)}"


def _elsewhere(unknown: list[Seen]) -> str:
    protocols = ", ".join(sorted({escape(choice.protocol) for choice in unknown}))
    last = max(choice.made_on for choice in unknown)
    return (
        f"{plural(len(unknown), 'choice')} behind this model, the last of {last}, looked at photos of {protocols}. "
        "This store has no protocol of that name, so whether test photos of this card are among them is not known: "
        f"{LISTS}."
    )
