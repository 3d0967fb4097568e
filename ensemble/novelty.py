"""Warns of photos unlike the training photos: pose, size, sharpness, light, distance in features and embeddings.

The limits come from training photos that were held out in turn from what they are measured by, without their labels:
of photos like them a share ALARM_RATE gets any warning. Photos beyond the limits are predicted all the same, but
neither scores nor intervals were tested there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from ensemble.alarm_limits import fewest_rows, joint_limits
from extractors.points import Landmarks
from extractors.topologies.registry import topology_of
from featurestore.records import FaceBatch
from models.baseline.pca import Components
from models.serialization import read_description, read_tensors, write_model
from models.untrusted import as_bundle_error

NOVELTY = "novelty"
"""Folder within that of the ensemble."""

ALARM_RATE = 0.05
"""Share of photos like the training photos that get any warning."""

FEWEST_PHOTOS = fewest_rows(ALARM_RATE)
"""Fewest different photos that limits can come from."""

PARTS, ENOUGH = 10, 800
"""Parts that are held out in turn, until so many photos have been: then the share is ALARM_RATE to within .8 %."""

COMPONENTS, ROWS_A_COMPONENT = 40, 10
"""Principal components of features, shapes and embeddings; fewer where there are few rows."""

EXACT = 300
"""Rows or columns up to which all components are computed. Beyond, those 40 are as good and many times faster."""

WARNINGS = {
    "yaw": "The head is turned {value:.1f} degrees to the side; {share} stay within {limit:.1f}.",
    "pitch": "The head is raised or lowered {value:.1f} degrees from the usual; {share} stay within {limit:.1f}.",
    "roll": "The head is tilted {value:.1f} degrees; {share} stay within {limit:.1f}.",
    "size": "The face is only {value:.1f} pixels wide; {share} have at least {limit:.1f}.",
    "sharpness": "The photo is less sharp than {share}.",
    "dark": "The face is darker than in {share}.",
    "bright": "The face is brighter than in {share}.",
    "features": "The measurements of this face lie {value:.2f} x the typical distance from the training mean; "
    "{share} stay within {limit:.2f}.",
    "shape": "The shape of this face lies {value:.2f} x the typical distance from the training mean; "
    "{share} stay within {limit:.2f}.",
    "face": "The embedding of the whole face lies {value:.2f} x the typical distance from the training mean; "
    "{share} stay within {limit:.2f}.",
}
REGION_WARNING = (
    "The {region} {verb} less usual than in {share}. Is something covered, or the expression or light unusual?"
)
TOO_FEW = (
    "Whether this photo is unlike the training photos is not known: it takes {fewest} different ones to tell, and "
    "there are {photos}."
)
LOW = ("size", "sharpness", "dark")
"""Measures that warn below their limit; the others warn above it."""


@dataclass(frozen=True, eq=False)
class Novelty:
    """Typical values and limits of the training photos.

    middle      (3,) median yaw, pitch and roll, degrees
    spaces      features, shape, face and regions -> their principal components
    usual       space -> median distance of the training photos
    photos      number of different training photos
    limits      measure -> the value beyond which it warns; none where there are fewer than FEWEST_PHOTOS photos
    shares      measure -> share of the training photos that were within the limit when they were held out
    """

    middle: NDArray[np.float64]
    spaces: Mapping[str, Components]
    usual: Mapping[str, float]
    photos: int
    limits: Mapping[str, float]
    shares: Mapping[str, float]

    @classmethod
    def fit(cls, batch: FaceBatch, landmarks: NDArray[np.float32], people: Sequence[str]) -> Self:
        """From the n training rows and their (n, P, 3) landmarks in pixels; labels are not used.

        people   n names, the same for photos of one person, who is never measured by components of these photos
        """
        _, first, person = np.unique(np.asarray(people), return_index=True, return_inverse=True)
        typical = replace(cls._typical(batch, landmarks), photos=len(first))
        if len(first) < FEWEST_PHOTOS:
            return typical
        held_out = cls._held_out(batch, landmarks, first, person)
        usual = {name: float(np.median(held_out[name])) for name in typical.spaces}
        held_out |= {name: held_out[name] / max(usual[name], 1e-12) for name in usual}
        values = np.stack([_unusual(name, column) for name, column in held_out.items()], axis=1)
        joint = joint_limits(values, ALARM_RATE)
        shares = (values <= joint).sum(axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1)
        known = [(name, i) for i, name in enumerate(held_out) if np.isfinite(joint[i])]
        return replace(
            typical,
            usual=usual,
            limits={name: _as_measured(name, float(joint[i])) for name, i in known},
            shares={name: float(shares[i]) for name, i in known},
        )

    @classmethod
    def _typical(cls, batch: FaceBatch, landmarks: NDArray[np.float32]) -> Self:
        """Without limits."""
        middle = np.median(pose(landmarks), axis=0)
        count = min(COMPONENTS, max(len(batch) // ROWS_A_COMPONENT, 2))
        rows = _spaces(batch)
        spaces = {name: Components.fit(values, count, exact=EXACT) for name, values in rows.items()}
        return cls(middle, spaces, dict.fromkeys(spaces, 1.0), len(batch), {}, {})

    @classmethod
    def _held_out(
        cls, batch: FaceBatch, landmarks: NDArray[np.float32], first: NDArray[np.int64], person: NDArray[np.int64]
    ) -> dict[str, NDArray[np.float64]]:
        """measure -> values of the `first` photo of each person, by what is typical of the people of other parts."""
        part = np.random.default_rng(0).permutation(len(first)) % PARTS
        measured: list[dict[str, NDArray[np.float64]]] = []
        for held_out in (first[part == number] for number in range(PARTS)):
            others = ~np.isin(person, person[held_out])
            typical = cls._typical(batch.take(others), landmarks[others])
            measured.append(typical.measure(batch.take(held_out), landmarks[held_out]))
            if sum(len(values["yaw"]) for values in measured) >= ENOUGH:
                break
        return {name: np.concatenate([values[name] for values in measured]) for name in measured[0]}

    def measure(self, batch: FaceBatch, landmarks: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """measure -> (n,) values; degrees and pixels as in the photo, distances in multiples of the median."""
        turned = np.abs(pose(landmarks) - self.middle)
        faces = Landmarks(landmarks)
        sharp = [i for i, name in enumerate(batch.feature_names) if name.endswith("_sharpness")]
        light = [i for i, name in enumerate(batch.feature_names) if name == "skin_lightness"]
        measured = dict(zip(("yaw", "pitch", "roll"), turned.T, strict=True)) | {"size": faces.face_width}
        if sharp:
            measured["sharpness"] = batch.features[:, sharp].mean(axis=1)
        if light:
            measured["dark"] = measured["bright"] = batch.features[:, light[0]]
        rows = _spaces(batch)
        return measured | {
            name: _distances(space, rows[name]) / max(self.usual[name], 1e-12) for name, space in self.spaces.items()
        }

    def beyond(self, measured: Mapping[str, NDArray[np.float64]]) -> dict[str, NDArray[np.bool_]]:
        """measure -> (n,) whether values of `measure` are beyond its limit."""
        return {
            name: measured[name] < limit if name in LOW else measured[name] > limit
            for name, limit in self.limits.items()
        }

    def warnings(self, batch: FaceBatch, landmarks: NDArray[np.float32]) -> tuple[str, ...]:
        """One sentence for each measure of one photo that is beyond its limit; `landmarks` is (P, 3)."""
        if self.photos < FEWEST_PHOTOS:
            return (TOO_FEW.format(photos=self.photos, fewest=FEWEST_PHOTOS),)
        measured = self.measure(batch, landmarks[None])
        return tuple(self.warning(name, measured[name][0]) for name, (is_so,) in self.beyond(measured).items() if is_so)

    def warning(self, name: str, value: float) -> str:
        """The sentence of a measure whose value is beyond its limit."""
        within = self.shares.get(name, np.nan)
        share = f"{100 * within:.1f} % of the training photos" if within < 1 else "all training photos"
        share = share if np.isfinite(within) else "nearly all training photos"
        region = name.removeprefix("looks ")
        verb = "look" if region.endswith("s") else "looks"
        message = WARNINGS.get(name, REGION_WARNING)
        return message.format(value=value, limit=self.limits[name], share=share, region=region, verb=verb)

    def save(self, folder: Path) -> None:
        described = {
            "kind": "novelty",
            "middle": self.middle.tolist(),
            **{name: getattr(self, name) for name in ("usual", "photos", "limits", "shares")},
        }
        tensors = {
            f"{name}/{part}": array for name, space in self.spaces.items() for part, array in space.tensors().items()
        }
        write_model(folder, described, tensors)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote. Raises BundleError when the folder holds none."""
        described, tensors = read_description(folder, "novelty"), read_tensors(folder)
        with as_bundle_error(folder):
            middle, usual, limits = np.array(described["middle"]), described["usual"], described["limits"]
            spaces = {
                name: Components(*(tensors[f"{name}/{part}"] for part in ("mean", "axes", "scale"))) for name in usual
            }
            # a bundle of before knows no shares
            photos, shares = int(described.get("photos", FEWEST_PHOTOS)), described.get("shares", {})
            return cls(middle, spaces, usual, photos, limits, shares)


def pose(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, P, 3) landmarks to (n, 3) yaw, pitch and roll in degrees, of the rotation from the canonical face.

    The least-squares rotation of two point sets (Kabsch 1976). Yaw is positive towards the subject's right, pitch when
    the head is lowered, roll when it is tilted clockwise in the photo.
    """
    topology = topology_of(landmarks)
    points = topology.of_mesh(landmarks).astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    frontal = topology.mesh - topology.mesh.mean(axis=0)
    left, _, right = np.linalg.svd(points.transpose(0, 2, 1) @ frontal)
    same = np.ones(len(points))
    flip = np.stack([same, same, np.linalg.det(left @ right)], axis=1)
    turn = (left * flip[:, None, :]) @ right
    yaw = np.arctan2(-turn[:, 2, 0], np.hypot(turn[:, 0, 0], turn[:, 1, 0]))
    pitch = np.arctan2(turn[:, 2, 1], turn[:, 2, 2])
    roll = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
    angles: NDArray[np.float64] = np.degrees(np.stack([yaw, pitch, roll], axis=1))
    return angles


def _unusual(name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of a measure so that the larger, the more unusual. Widths by their logarithm: none is below zero."""
    return np.asarray(-np.log(values) if name == "size" else -values if name in LOW else values)


def _as_measured(name: str, value: float) -> float:
    """The inverse of `_unusual`: a value in the unit of its measure."""
    return float(np.exp(-value)) if name == "size" else -value if name in LOW else value


def _spaces(batch: FaceBatch) -> dict[str, NDArray[np.float32]]:
    """The arrays in which distances are measured."""
    spaces = {"features": np.nan_to_num(batch.features).astype(np.float32), "shape": batch.shapes}
    if batch.embeddings.shape[1]:
        spaces["face"] = batch.embeddings
    return spaces | {f"looks {region}": values for region, values in batch.region_embeddings.items()}


def _distances(space: Components, rows: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n,): how far rows lie from the mean beyond and within the components.

    Within them the root mean square of the standardised coordinates (Mahalanobis), beyond them the
    residual, relative to the total variance; the product grows with either.
    """
    within = space.transform(rows)
    centred = rows.astype(np.float64) - space.mean
    left = (centred**2).sum(axis=1) - ((within * space.scale) ** 2).sum(axis=1)
    beyond = np.sqrt(np.maximum(left, 0) + (space.scale**2).sum())
    distances: NDArray[np.float64] = np.sqrt((within**2).mean(axis=1)) * beyond
    return distances
