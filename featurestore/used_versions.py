"""What a run uses: the recipes behind its values, with those features that it sees and no others.

So a run stays usable for as long as these are computed the same way, whatever else was added or changed.
"""

import json

from extractors.outputs import EMBEDDING, FEATURES
from extractors.recipes import NORMALIZATION, Uses, only
from featurestore.store import Store


def of_manifest(store: Store, manifest_id: str, encoder: str | None) -> Uses | None:
    """What models use of a training set, embeddings of one encoder at most.

    None where the store no longer has every recipe, as `kallos compact` drops those of versions that are not shown.
    """
    pinned = store.frame("SELECT versions, features FROM manifests WHERE manifest_id = $id", id=manifest_id).rows()
    if not pinned or pinned[0][1] is None:
        return None
    versions, features = json.loads(pinned[0][0]), pinned[0][1]
    known = {
        (extractor, version): (output, json.loads(recipe))
        for extractor, version, output, recipe in store.frame(
            "SELECT extractor, version, output, recipe FROM extractor_versions"
        ).iter_rows()
    }
    uses = {}
    for extractor, version in versions.items():
        if extractor.startswith(EMBEDDING) and extractor != f"{EMBEDDING}{encoder}":
            continue
        if (extractor, version) not in known:
            return None
        output, recipe = known[extractor, version]
        uses[extractor] = only(recipe, features) if output == FEATURES else recipe
    return {**uses, **NORMALIZATION}


def of_run(store: Store, run_id: str) -> Uses | None:
    """What was recorded of a run when it began; None of an earlier kallos' run whose recipes were gone already."""
    recorded = store.value("SELECT uses FROM runs WHERE run_id = $run_id", run_id=run_id)
    return None if recorded is None else dict(json.loads(recorded))


def shown(store: Store) -> Uses:
    """extractor -> recipe of what the views show."""
    rows = store.frame("SELECT extractor, recipe FROM extractor_versions WHERE active")
    return {extractor: json.loads(recipe) for extractor, recipe in rows.iter_rows()}
