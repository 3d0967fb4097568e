"""The cards that go with every trained run and every bundle: how well the model does, and its training data."""

from featurestore.runs import load
from featurestore.store import Store
from reports.cards import data_card, data_card_markdown, model_card, model_card_markdown

MODEL_CARD = "MODEL_CARD.md"


def cards(store: Store, run_id: str) -> dict[str, str]:
    """File name -> Markdown of a finished run, from the store as it is now: later evaluations are in later cards."""
    return {
        MODEL_CARD: model_card_markdown.render(model_card.data(store, run_id)),
        "DATA_CARD.md": data_card_markdown.render(data_card.data(store, load(store, run_id).protocol)),
    }
