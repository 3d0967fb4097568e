"""Transformers of scikit-learn: photos to landmarks and embeddings, landmarks to measurements and shapes."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ensemble.bundle import open_bundle
from extractors.decode import UNNAMED
from extractors.errors import InputError, NoFaceError, PhotoError
from extractors.geometry.compute import compute_geometry
from extractors.landmark_finder import Finder, finder_of
from extractors.photo import Photo, read_photo
from extractors.registry import EXTRACTORS
from extractors.topologies import registry
from extractors.values import Encoder, embeddings_of, face_of
from featurestore.errors import UsageError
from kallos.engines.pool import FailedTask, Pool
from kallos.workflows.extras import need
from kallos.workflows.score import MIN_PARALLEL
from models.encoders.spec import EncoderSpec

need("train", "sklearn")
from sklearn.base import BaseEstimator, TransformerMixin  # noqa: E402
from sklearn.utils.validation import validate_data  # noqa: E402

_Row: TypeAlias = NDArray[np.float64] | PhotoError | InputError | FailedTask
_Tools: TypeAlias = tuple[Finder, Encoder | None]


class _Transformer(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Learns nothing, so that it can be used before it is fitted."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.requires_fit = False
        return tags

    def get_feature_names_out(self, input_features: object = None) -> NDArray[np.object_]:  # noqa: ARG002
        """A name for each column."""
        return np.array(self._names(), dtype=object)

    def _names(self) -> Sequence[str]:
        raise NotImplementedError


class _OfPhotos(_Transformer):
    """Photos in, one row each; 32 and more are shared among all cores."""

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # as those of text: scikit-learn's own checks feed numbers, and know no others
        tags.input_tags.one_d_array = tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002, N803
        """Looks at no photo."""
        _photos(X)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """(n, columns) of n photos, each given as to `kallos.load_bundle`: a list, a Series, a table's one column.

        Raises InputError or PhotoError for the first that cannot be used: `kallos.score` names all.
        """
        photos, encoder = _photos(X), self._encoder()
        rows: list[_Row]
        if len(photos) < MIN_PARALLEL:
            with finder_of(registry.current())() as finder:
                tools = (finder, encoder.open() if encoder else None)
                rows = [_row(tools, photo) for photo in photos]
        else:
            with Pool(_tools, encoder) as pool:
                rows = [row for _, row in pool.map(_row, photos)]
        return np.array([_checked(place, row) for place, row in enumerate(rows)]).reshape(len(rows), -1)

    def _encoder(self) -> EncoderSpec | None:
        raise NotImplementedError


class FaceLandmarks(_OfPhotos):
    """The landmarks of the largest face of each photo: x, y and z of one after the other, in pixels.

    This is what `FaceGeometry` and `FaceShapes` take, in a `Pipeline` after this one.
    """

    def _encoder(self) -> None:
        return None

    def _names(self) -> Sequence[str]:
        return [f"{axis}{point}" for point in range(registry.current().number) for axis in "xyz"]


class FaceEmbeddings(_OfPhotos):
    """The embedding of the largest face of each photo, by the encoder of a bundle; no model is asked for a score."""

    def __init__(self, bundle: str | Path = "bundle") -> None:
        self.bundle = bundle

    def _encoder(self) -> EncoderSpec:
        """Raises InputError or BundleError."""
        return EncoderSpec.read(open_bundle(Path(self.bundle)).folders["encoder"])

    def _names(self) -> Sequence[str]:
        return [f"embedding_{place}" for place in range(self._encoder().dim)]


class _OfLandmarks(_Transformer):
    """Landmarks in, as `FaceLandmarks` gives them."""

    def fit(self, X: Any, y: object = None) -> Self:  # noqa: ARG002, N803
        """Looks at the number of columns alone. Raises ValueError where they are no landmarks."""
        self._faces(validate_data(self, X, dtype=np.float64))
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:  # noqa: N803
        """(n, columns) of (n, 3 P) landmarks. Raises ValueError for another number of columns."""
        return self._measure(self._faces(validate_data(self, X, dtype=np.float64, reset=False)))

    def _faces(self, columns: NDArray[np.float64]) -> NDArray[np.float64]:
        """(n, P, 3)."""
        number = registry.current().number
        if columns.shape[1] != 3 * number:
            raise ValueError(
                f"X has {columns.shape[1]} features, and landmarks have {3 * number}: x, y and z of {number} points."
            )
        return columns.reshape(-1, number, 3)

    def _measure(self, faces: NDArray[np.float64]) -> NDArray[np.float64]:
        raise NotImplementedError


class FaceGeometry(_OfLandmarks):
    """The geometric features of faces, in their own units; NaN where one cannot be measured."""

    def _measure(self, faces: NDArray[np.float64]) -> NDArray[np.float64]:
        return compute_geometry(faces)[1]

    def _names(self) -> Sequence[str]:
        return [field.name for field in EXTRACTORS["geometry"].fields()]


class FaceShapes(_OfLandmarks):
    """The shapes of faces: landmarks without place, size and roll; all x, then all y."""

    def _measure(self, faces: NDArray[np.float64]) -> NDArray[np.float64]:
        return EXTRACTORS["shape"].measure(faces)["shape"].astype(np.float64)

    def _names(self) -> Sequence[str]:
        return [f"{axis}{point}" for axis in "xy" for point in range(registry.current().shape_length // 2)]


def _photos(X: Any) -> list[Photo]:  # noqa: N803
    """Raises UsageError for what is no list of photos."""
    if hasattr(X, "to_numpy"):
        X = X.to_numpy()  # noqa: N806
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:
        X = X[:, 0]  # noqa: N806
    if isinstance(X, str | bytes | Path) or not isinstance(X, Iterable):
        raise UsageError("Give a list of photos, also for one.")
    return list(X)


def _tools(encoder: EncoderSpec | None) -> _Tools:
    return finder_of(registry.current())(), encoder.open() if encoder else None


def _row(tools: _Tools, photo: Photo) -> _Row:
    finder, encoder = tools
    try:
        pixels = read_photo(photo)[1]
        if encoder is None:
            return finder.find(pixels).landmarks.ravel().astype(np.float64)
        return np.asarray(embeddings_of(encoder, face_of(pixels, finder))["vector"][0], dtype=np.float64)
    except NoFaceError as error:
        return NoFaceError(f"{photo if isinstance(photo, str | Path) else UNNAMED}: {error}")
    except (PhotoError, InputError) as error:
        return error


def _checked(place: int, row: _Row) -> NDArray[np.float64]:
    if isinstance(row, FailedTask):
        row = PhotoError(row.detail)
    if isinstance(row, Exception):
        raise type(row)(f"X[{place}]: {row} `kallos.score` names every photo that cannot be used.")
    return row
