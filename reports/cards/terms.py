"""Under which terms a model of a card may be used: those of its data, and of the weights that it started from."""

from collections.abc import Iterator

from models.networks.known_weights import JOINED, KnownWeights, known
from reports.cards.model_card import ModelCard
from reports.render.markdown import escape, grid

TERMS = {
    "none": "none: random initialisation",
    "imagenet": "those of torchvision or timm, which have it; trained on ImageNet (photos for non-commercial research)",
}


def table_of_weights(card: ModelCard) -> str:
    """What each model's network started from, and its terms; empty where no model has a network."""
    titles = ("model", "network", "weights that it started from", "their terms")
    rows = []
    for model, network, label in _networks(card):
        listed = _known(label, network)
        terms = listed.terms if listed else TERMS.get(label, "unknown: those of the file's author")
        rows.append((model, escape(network), escape(label), terms))
    return grid(titles, rows, text=4) if rows else ""


def licences(card: ModelCard) -> str:
    """The section on terms, which says it plainly where they leave research alone."""
    lines = [f"- Data set {escape(name)}: {escape(terms or 'not stated')}." for name, terms in card.licences.items()]
    networks = list(_networks(card))
    weights = (_known(label, net) for _, net, label in networks)
    limited = dict.fromkeys(each.trained_on for each in weights if each and each.research_only)
    if limited:
        lines.append(f"- **Research only**: weights within it were trained on {' and '.join(limited)}.")
    if networks:
        lines.append("- Weights that networks started from: see the table under Model.")
    lines.append("- Landmarks: MediaPipe's face landmarker, Apache-2.0.")
    closing = "A model trained on data under such terms is to be used under them."
    return "\n".join(["## Licences\n", *lines, f"\n{closing}"])


def _networks(card: ModelCard) -> Iterator[tuple[str, str, str]]:
    """(model, network, weights): Model A's own, or each of the encoder's of a model that sees embeddings."""
    for run in (member.run for member in card.runs):
        network = run.config.get("backbone") or (run.encoder if run.weights != "none" else None)
        if network:
            names = str(network).split(JOINED)
            labels = run.weights.split(JOINED) if len(names) > 1 else [run.weights]
            yield from ((run.model, name, label) for name, label in zip(names, labels, strict=True))


def _known(label: str, network: str) -> KnownWeights | None:
    # an encoder's id is its network and a hash
    return known(label, network) or known(label, network.rpartition("-")[0])
