"""How much of a score is not the face: hair, ears, neck and background in grey, and the other way round.

    python -m benchmarks.background --store kallos.duckdb --protocol scut-5fold

Rows are training rows of one fold, evenly spread: part 1 is held out, the others are learnt from; no test row is looked
at. The quadratic model is fitted on photos as they are, on faces alone, and on what is around them. Measured features
and shapes stay as they are, but the last has none: only what the encoder sees of the grey photo. Its outline is the
face's, so beside it stands a ridge regression on the contour's landmarks alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.transfer import HEADINGS, figures_line, fitted, fold_parser
from extractors.alignment import Crop
from extractors.background import background_alone, face_alone
from extractors.spec import Face
from extractors.topologies.registry import topology_of
from extractors.values import Encoder, embeddings_of
from featurestore import runs
from featurestore.group_differences import people_in
from featurestore.opening import open_store
from featurestore.outputs import EMBEDDING, active_versions, found_encoder
from featurestore.records import FaceBatch
from featurestore.training_sets import training_set
from kallos.workflows.stored_faces import aligned_faces
from models.encoders.spec import EncoderSpec

PENALTIES = np.geomspace(1e-2, 1e4, 13)


def main() -> None:
    parser = fold_parser(__doc__)
    parser.add_argument("--photos", type=int, default=2400, help="training rows, of which a third are held out")
    parser.add_argument("--learn", default="AF,AM", help="subsets to learn from where transfer is measured")
    arguments = parser.parse_args()
    with open_store(arguments.store, must_exist=True) as store:
        rows = training_set(store, arguments.protocol, arguments.fold, arguments.encoder)
        held_out, learnt = (np.flatnonzero((rows.part == 1) == is_held) for is_held in (True, False))
        spread = _spread(held_out, arguments.photos // 3), _spread(learnt, arguments.photos * 2 // 3)
        chosen = np.sort(np.concatenate(spread))
        photos, is_held_out = rows.train.take(chosen), rows.part[chosen] == 1
        faces = list(aligned_faces(store, photos.image_ids))
        folder = found_encoder(store, str(rows.encoder), active_versions(store)[f"{EMBEDDING}{rows.encoder}"])
        subset, people = (np.array(names_of(store, photos.image_ids)) for names_of in (runs.subsets, people_in))
    encoder = EncoderSpec.read(folder).open()
    alone, background = (_encoded(photos, faces, paint, encoder) for paint in (face_alone, background_alone))
    _on_new_photos(photos, alone, background, _contours(faces), is_held_out, people[is_held_out])
    learns = np.isin(subset, arguments.learn.split(","))
    print(f"\nlearnt from {learns.sum():,} of {arguments.learn}, tested on {(~learns).sum():,} others\n{HEADINGS}")
    for name, batch in {"photos as they are": photos, "faces alone": alone}.items():
        print(figures_line(name, photos.scores[~learns], _predicted(batch, learns), people[~learns]))


def _on_new_photos(
    photos: FaceBatch,
    alone: FaceBatch,
    background: FaceBatch,
    contours: NDArray[np.float64],
    is_held_out: NDArray[np.bool_],
    people: NDArray[np.str_],
) -> None:
    """`people` are those of the photos that are held out."""
    learn, truth = photos.take(~is_held_out), photos.scores[is_held_out]
    print(f"learnt from {len(learn):,} rows, tested on {len(truth):,} held out\n{HEADINGS}")
    model = fitted("quadratic", learn)
    before, after = (model.predict(batch.take(is_held_out)) for batch in (photos, alone))
    print(figures_line("photos as they are", truth, before, people))
    print(figures_line("the same model on faces alone", truth, after, people))
    for name, batch in {"faces alone": alone, "background alone": _without_features(background)}.items():
        print(figures_line(f"learnt from {name}", truth, _predicted(batch, ~is_held_out), people))
    ridge = make_pipeline(StandardScaler(), RidgeCV(alphas=PENALTIES)).fit(contours[~is_held_out], learn.scores)
    print(figures_line("learnt from the outline, ridge", truth, ridge.predict(contours[is_held_out]), people))
    change = after - before
    print(
        f"a score changes by {change.mean():+.3f} when all but the face is grey, {np.abs(change).mean():.3f} in mean "
        f"size, sd {change.std():.3f}; the scores' sd is {before.std():.3f}; both correlate "
        f"{np.corrcoef(before, after)[0, 1]:.3f}"
    )


def _predicted(batch: FaceBatch, learns: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Scores of the rows that are not learnt from."""
    return fitted("quadratic", batch.take(learns)).predict(batch.take(~learns))


def _spread(rows: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """At most `count` of them, evenly spread."""
    return rows[np.unique(np.linspace(0, len(rows) - 1, min(count, len(rows))).astype(int))]


def _encoded(batch: FaceBatch, faces: list[Face], paint: Callable[[Crop], Crop], encoder: Encoder) -> FaceBatch:
    """The batch with what the encoder sees of painted crops."""
    figures = [
        embeddings_of(encoder, replace(face, aligned=paint(face.aligned)))
        for face in track(faces, paint.__name__, transient=True)
    ]
    columns = {name: np.concatenate([of_face[name] for of_face in figures]) for name in figures[0]}
    return replace(batch, embeddings=columns.pop("vector"), region_embeddings=columns)


def _without_features(batch: FaceBatch) -> FaceBatch:
    return replace(batch, features=np.empty((len(batch), 0)), feature_names=(), feature_regions=())


def _contours(faces: list[Face]) -> NDArray[np.float64]:
    """(n, 2 K) x and y of the face's contour in its crop."""
    numbers = list(topology_of(faces[0].landmarks).contours["face_oval"])
    return np.stack([face.aligned.landmarks[numbers].ravel() for face in faces]).astype(np.float64)


if __name__ == "__main__":
    main()
