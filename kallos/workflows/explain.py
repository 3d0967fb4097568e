"""One photo to an explanation, with percentiles and neighbours from a store if there is one."""

from pathlib import Path

from ensemble.bundle import open_bundle
from ensemble.predictor import Predictor
from featurestore.errors import UsageError
from featurestore.records import Explanation
from featurestore.similarity import Search, stored_image
from featurestore.store import Store
from kallos.workflows.similar import find_similar
from kallos.workflows.stores import open_for_reading
from kallos.workflows.trained_models import trained_parts
from reports.pages.explanation_data import ExplanationReport, data

NEAREST = 5


def explain(
    photo: str | Path,
    store: str | Path | None = None,
    *,
    bundle: str | Path | None = None,
    group: str | None = None,
    protocol: str | None = None,
    fold: int | None = None,
) -> tuple[ExplanationReport, Explanation]:
    """Explain the score of a photo file or stored image, by the models of a bundle or by those trained last.

    With a bundle no store is needed; without a store there are no percentiles and no neighbours. The report is for
    people, the Explanation has the data for pictures. Raises as `Predictor.predict` and `stored_image`.
    """
    name = str(photo)
    if store is None or (bundle and not Path(store).is_file()):
        if bundle is None:
            raise UsageError("Give a store or a bundle, whose models explain the photo.")
        with Predictor(open_bundle(Path(bundle))) as predictor:
            explained = predictor.explain(Path(name), group)
        return data(explained, group, None), explained
    with open_for_reading(Path(store)) as opened:
        parts = open_bundle(Path(bundle)) if bundle else trained_parts(opened, protocol, fold)
        with Predictor(parts) as predictor:
            explained = predictor.explain(_file_of(opened, name), group)
        encoder = str(parts.trained_on["encoder"])
        searches = (Search("geometry", NEAREST), Search("embedding", NEAREST, encoder))
        neighbours = tuple(find_similar(opened, name, search) for search in searches)
        return data(explained, group, opened, neighbours), explained


def _file_of(store: Store, name: str) -> Path:
    """The photo file; a stored image takes precedence over a file of that name, as in `kallos similar`."""
    if not store.value("SELECT count(*) FROM images WHERE image_id = $name", name=name) and Path(name).is_file():
        return Path(name)
    image_id = stored_image(store, name).image_id
    return Path(
        store.value(
            "SELECT root || '/' || path FROM images JOIN locations USING (data_set) WHERE image_id = $id", id=image_id
        )
    )
