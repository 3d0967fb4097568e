"""`kallos similar`: the nearest neighbours of an image or photo file in the store."""

import logging
from pathlib import Path

from extractors.decode import decode
from extractors.errors import NoFaceError
from extractors.file_hash import sha256_of_file
from extractors.outputs import EMBEDDING
from featurestore.errors import PrerequisiteError
from featurestore.outputs import active_versions
from featurestore.similarity import Query, Search, checked, nearest, stored_image
from featurestore.store import Store
from kallos.workflows.encoders import known_encoders
from kallos.workflows.stores import open_for_reading
from reports.pages import similar as similar_page
from reports.pages.similar import SimilarReport
from reports.render.contact_sheet import Photo
from reports.stats.selection import Selection, chosen_data_sets

log = logging.getLogger(__name__)

EXTRACTORS = {"geometry": "geometry", "landmarks": "shape"}


def similar(
    image: str | Path,
    store: str | Path,
    *,
    by: str = "embedding",
    k: int = 10,
    data_set: str | None = None,
    encoder: str | None = None,
) -> SimilarReport:
    """The `k` images of the store nearest to an image_id, to the end of one, or to a photo file, by exact search.

    `by` is embedding, geometry or landmarks. Raises UsageError, InputError, PhotoError, NoFaceError or
    PrerequisiteError.
    """
    with open_for_reading(Path(store)) as opened:
        return find_similar(opened, str(image), Search(by, k, encoder, data_set))


def find_similar(store: Store, name: str, search: Search) -> SimilarReport:
    """The images nearest to `name`: an image_id, a photo file, or the end of an image_id, in that order.

    Raises UsageError, InputError, PhotoError, NoFaceError or PrerequisiteError.
    """
    if search.data_set is not None:
        chosen_data_sets(store, Selection(data_set=search.data_set))
    search = checked(store, search)
    is_stored = store.value("SELECT count(*) FROM images WHERE image_id = $name", name=name)
    if not is_stored and Path(name).is_file():
        query, photo = _measure(store, Path(name), search)
        return similar_page.data(store, search, nearest(store, query, search), photo)
    query = stored_image(store, name)
    return similar_page.data(store, search, nearest(store, query, search), str(query.image_id))


def _measure(store: Store, path: Path, search: Search) -> tuple[Query, Photo]:
    """A photo file through the extractors of the store; only what is compared is computed."""
    image = decode(path)
    # MediaPipe and torch take seconds to load: a stored image should not wait for them
    from extractors.catalogue import definitions_of
    from extractors.landmark_finder import finder_of
    from extractors.topologies import registry
    from extractors.values import face_of, measure, outputs

    extractor = EXTRACTORS.get(search.by, f"{EMBEDDING}{search.encoder}")
    encoders = [e for e in known_encoders(store) if e.id == search.encoder] if search.encoder else []
    if active_versions(store)[extractor] not in [output.version for output in outputs(encoders)]:
        option = f" --encoder {search.encoder}" if search.encoder else ""
        raise PrerequisiteError(
            f"The stored {extractor} has another version than this kallos computes: run `kallos extract{option}` first."
        )
    try:
        with finder_of(registry.current())() as finder:
            face = face_of(image, finder)
    except NoFaceError as error:
        raise NoFaceError(f"{path}: {error}") from error
    if face.remark:
        log.info("%s: %s", path, face.remark)
    columns = measure(extractor, face, {f"{EMBEDDING}{encoder.id}": encoder.open() for encoder in encoders})
    if extractor == "geometry":
        names = [definition.name for definition in definitions_of(extractor)]
        columns = dict(zip(names, columns["features"].T, strict=True))
    query = Query(None, sha256_of_file(path), {column: values[0] for column, values in columns.items()})
    return query, Photo(path, path.name, None if search.by == "embedding" else face.landmarks)
