"""One photo to one Prediction, with the extractors and models of the training."""

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ensemble.combiner import Combiner
from ensemble.intervals import EVERYONE, Intervals
from ensemble.novelty import NOVELTY, Novelty
from ensemble.parts import Parts
from extractors.definitions import definitions
from extractors.errors import NoFaceError
from extractors.landmark_finder import finder_of
from extractors.photo import Photo, content_hash, read_photo
from extractors.recipes import described, differences, had_version, of_outputs
from extractors.regions import REGIONS
from extractors.registry import EXTRACTORS, OF_FEATURES
from extractors.spec import Columns, Face
from extractors.topologies import registry
from extractors.values import embeddings_of, face_of, outputs
from featurestore.calibration import FEWEST, Calibration, Ends
from featurestore.errors import BundleError, UsageError
from featurestore.normalization import averageness
from featurestore.records import Explanation, FaceBatch, Prediction
from featurestore.scale import RATINGS
from models.encoders.spec import EncoderSpec
from models.loading import load_model
from models.registry import ENSEMBLE, MODELS
from models.spec import resolve
from models.untrusted import as_bundle_error

IN_TRAINING = "The model was trained on this photo."
"""Always the first note: figures on a training photo say little about new photos."""
NO_INTERVAL = "The score has no interval: that takes {fewest} training photos, and there are {n}."


@dataclass(frozen=True, eq=False)
class Answer:
    """What models say of one face: score (1,), the ends of its interval, each member's score (1,), sub-scores (8,)."""

    score: NDArray[np.float64]
    ends: Ends | None
    members: dict[str, NDArray[np.float64]]
    sub_scores: NDArray[np.float64]


class Predictor:
    """Loaded models that predict photos. It works without `with`; as a context manager, it is closed at the end.

    normalization  statistics of the training rows
    adds_up        whether the parts of an explanation add up to the score that is given, not to another data set's
    """

    def __init__(self, parts: Parts) -> None:
        """Raises BundleError when the parts cannot be used, or need other versions of the extractors."""
        self._parts, folders = parts, parts.folders
        self._folder = folders[ENSEMBLE].parent
        encoder = EncoderSpec.read(folders["encoder"])
        with as_bundle_error(self._folder):
            _check_versions(parts, encoder)
        self._encoder = encoder.open()
        self.models: dict[str, Any] = {name: load_model(folders[name]) for name in MODELS if name in folders}
        self.combiner = Combiner.load(folders[ENSEMBLE])
        self.intervals = Intervals.load(folders[ENSEMBLE])
        self.novelty = Novelty.load(folders[ENSEMBLE] / NOVELTY)
        self.normalization, self.adds_up = parts.normalization, parts.gives_own_scores
        self.regions_of = self._model_of_regions()
        self._finder = finder_of(registry.current())()
        self._open, self._is_closed = ExitStack(), False

    @property
    def groups(self) -> list[str]:
        """Groups of the training data with their own calibration."""
        return sorted(self.intervals.calibrations.keys() - {EVERYONE})

    def _model_of_regions(self) -> str:
        """The combined model that gives sub-scores. Raises BundleError where there is none or a member is missing."""
        members = self.combiner.members
        if missing := [name for name in members if name not in self.models]:
            raise BundleError(
                f"{self._folder} lacks the model {missing[0]}, which the ensemble combines: export again."
            )
        candidates = [name for name in members if MODELS[name].regions]
        if not candidates:
            raise BundleError(f"The ensemble in {self._folder} combines no model with sub-scores: train it again.")
        return candidates[0]

    def __enter__(self) -> Self:
        self._open.enter_context(self._finder)
        # for one photo, threads of linear algebra mostly wait for each other
        self._open.enter_context(threadpool_limits(1, user_api="blas"))
        return self

    def __exit__(self, *problem: Any) -> None:
        self._is_closed = True
        self._open.close()

    def predict(self, photo: Photo, group: str | None = None) -> Prediction:
        """Score one photo, with the calibration of a group of the training data if one is given.

        photo  a path, the bytes of a photo file, a PIL image, or (h, w, 3) uint8 RGB pixels of an upright photo

        Raises InputError, PhotoError or NoFaceError, and UsageError for an unknown group.
        """
        return self._predict(photo, group)[0][0]

    def explain(self, photo: Photo, group: str | None = None) -> Explanation:
        """Score one photo as `predict` does, and explain what the score consists of.

        Raises as `predict`, and UsageError where the scores of another data set than the first are to be given.
        """
        if not self.adds_up:
            raise UsageError(
                f"An explanation adds up on the scale of {self._parts.data_sets[0]} alone: "
                "explain without naming a data set."
            )
        ((prediction, batch),) = self._predict(photo, group)
        features_of = next((name for name in self.models if MODELS[name].features), None)
        with as_bundle_error(self._folder):
            return Explanation(
                prediction=prediction,
                regions_of=self.regions_of,
                regions=self._attribution(self.regions_of, MODELS[self.regions_of].regions, batch),
                features_of=features_of,
                features=self._attribution(features_of, MODELS[features_of].features, batch) if features_of else {},
                z=dict(zip(batch.feature_names, batch.features[0].tolist(), strict=True)),
            )

    def _attribution(self, name: str, attribution: str | None, batch: FaceBatch) -> Any:
        assert attribution is not None
        return resolve(attribution)(self.models[name], batch)

    def predict_faces(self, photo: Photo, group: str | None = None) -> list[Prediction]:
        """Score every face of one photo, the largest first. Raises as `predict`."""
        return [prediction for prediction, _ in self._predict(photo, group, every_face=True)]

    def _predict(
        self, photo: Photo, group: str | None, *, every_face: bool = False
    ) -> list[tuple[Prediction, FaceBatch]]:
        if self._is_closed:
            raise UsageError("This predictor is closed: predict inside its `with`, or load the bundle again.")
        calibration = self.intervals.for_group(group)
        name, image = read_photo(photo)
        try:
            found = self._finder.faces(image) if every_face else [None]
            faces = [face_of(image, self._finder, landmarks) for landmarks in found]
        except NoFaceError as error:
            raise NoFaceError(f"{name}: {error}") from error
        with as_bundle_error(self._folder):
            return [self._score_face(name, content_hash(photo), face, calibration) for face in faces]

    def _score_face(
        self, photo: Path, sha256: str | None, face: Face, calibration: Calibration
    ) -> tuple[Prediction, FaceBatch]:
        """The prediction for a face. Raises BundleError when a model returns no finite number."""
        batch, raw = self.batch_of(str(photo), face)
        answer = self.answer(batch, calibration)
        ends = answer.ends
        if not np.isfinite([*answer.score, *np.concatenate([*answer.members.values(), *(ends or ())])]).all():
            raise BundleError(f"The models in {self._folder} return no number for {photo}: train or export them again.")
        in_training = sha256 is not None and sha256 in self._parts.photos
        notes = [IN_TRAINING] if in_training else []
        notes += [] if ends else [NO_INTERVAL.format(fewest=FEWEST, n=calibration.n)]
        notes += [face.remark] if face.remark else []
        prediction = Prediction(
            photo=photo,
            score=float(answer.score[0]),
            low=float(ends[0][0]) if ends else None,
            high=float(ends[1][0]) if ends else None,
            members={name: float(value[0]) for name, value in answer.members.items()},
            combined_by=self.combiner.weights if self.adds_up else {},
            correction=float(self.combiner.correction_of(answer.members)[0]) if self.adds_up else 0.0,
            bias=calibration.bias,
            sub_scores=dict(zip(REGIONS, answer.sub_scores.tolist(), strict=True)),
            weights=dict(zip(REGIONS, self.models[self.regions_of].weights.tolist(), strict=True)),
            features=dict(zip(self.normalization.features, raw[0].tolist(), strict=True)),
            landmarks=face.landmarks,
            notes=(*notes, *self.novelty.warnings(batch, face.landmarks)),
            versions=dict(self._parts.versions),
            origin=self._parts.origin,
            in_training=in_training,
        )
        return prediction, batch

    def answer(self, batch: FaceBatch, calibration: Calibration) -> Answer:
        """The scores of a batch of one face, as they are given."""
        members = self.scores(batch)
        score = members.pop(ENSEMBLE)
        ends, score = calibration.interval(score), calibration.corrected(score)
        sub_scores = self.models[self.regions_of].sub_scores(batch)[0]
        ends = ends and self._parts.output_ends(score, ends)
        if output := self._parts.output:
            score, sub_scores = map(output.from_shared, (score, sub_scores))
            members = {name: output.from_shared(value) for name, value in members.items()}
        return Answer(score, ends, members, sub_scores)

    def scores(self, batch: FaceBatch) -> dict[str, NDArray[np.float64]]:
        """Scores (n,) of a batch with faces, shared ones: the combined under `ensemble`, and each member's."""
        with as_bundle_error(self._folder):
            members = {name: model.predict(batch) for name, model in self.models.items()}
            return {ENSEMBLE: self.combiner.predict(members), **members}

    def interval(self, combined: NDArray[np.float64]) -> Ends | None:
        """Ends of the 90 % intervals of combined scores (n,), shared ones as they are; None of few photos."""
        return self.intervals.everyone.interval(combined)

    def batch_of(self, image_id: str, face: Face) -> tuple[FaceBatch, NDArray[np.float64]]:
        """The one-row FaceBatch of a face, as the store would give it, and its features in their own units."""
        measured = np.hstack([EXTRACTORS[name].measure_face(face)["features"] for name in OF_FEATURES])
        shapes = EXTRACTORS["shape"].measure_face(face)["shape"]
        return self.batch_of_numbers(image_id, measured, shapes, embeddings_of(self._encoder, face), face.crop[None])

    def batch_of_numbers(
        self,
        image_id: str,
        measured: NDArray[np.float64],
        shapes: NDArray[np.float32],
        embedded: Columns,
        faces: NDArray[np.uint8] | None,
    ) -> tuple[FaceBatch, NDArray[np.float64]]:
        """The same of (1, F) features in the order of `definitions`, a (1, 2M) shape and `embeddings_of` a face."""
        names = [definition.name for definition in definitions()]
        normalization = self.normalization
        raw = measured[:, [names.index(name) for name in normalization.features[:-1]]]
        batch = FaceBatch(
            image_ids=(image_id,),
            feature_names=normalization.features,
            feature_regions=normalization.regions,
            features=normalization.transform(raw, shapes),
            shapes=shapes,
            embeddings=embedded.pop("vector"),
            region_embeddings=embedded,
            faces=faces,
            scores=np.array([np.nan]),
            histograms=np.full((1, len(RATINGS)), np.nan),
        )
        return batch, np.column_stack([raw, averageness(shapes, normalization.mean_shape)])


def _check_versions(parts: Parts, encoder: EncoderSpec) -> None:
    """Raises BundleError unless this kallos computes all that the models use, in the same way."""
    computable = {definition.name for definition in definitions()}
    if unknown := [name for name in parts.normalization.features[:-1] if name not in computable]:
        raise BundleError(f"The models need the feature {unknown[0]}, which this kallos does not compute: train again.")
    computed = outputs([encoder])
    if parts.uses is None:
        today, features = {output.extractor: output for output in computed}, parts.normalization.features
        differing = {
            name: ["another version"]
            for name, version in parts.versions.items()
            if name not in today or not had_version(today[name], version, features)
        }
    else:
        differing = differences(parts.uses, of_outputs(computed))
    if differing:
        raise BundleError(
            f"The models use outputs that this kallos computes differently ({described(differing)}): "
            "run `kallos extract` and train again, or use the kallos that trained them."
        )
