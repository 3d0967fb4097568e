"""Warns of photos unlike the training photos: pose, size, sharpness, light, distance in features and embeddings.

The limits are quantiles of the training photos, without their labels: each measure warns of a share ALARM_RATE of
them, so that ordinary photos rarely get a warning. Photos beyond the limits are predicted all the same, but neither
scores nor intervals were tested there.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from extractors.points import Landmarks
from extractors.topologies.registry import topology_of
from featurestore.records import FaceBatch
from models.baseline.pca import Components
from models.serialization import read_description, read_tensors, write_model
from models.untrusted import as_bundle_error

NOVELTY = "novelty"
"""Folder within that of the ensemble."""

ALARM_RATE = 0.004
"""Share of the training photos that each measure would warn of."""

COMPONENTS, ROWS_A_COMPONENT = 40, 10
"""Principal components of features, shapes and embeddings; fewer where there are few rows."""

WARNINGS = {
    "yaw": "The head is turned {value:.0f} degrees to the side; nearly all training photos stay within {limit:.0f}.",
    "pitch": "The head is raised or lowered {value:.0f} degrees from the usual; nearly all stay within {limit:.0f}.",
    "roll": "The head is tilted {value:.0f} degrees; nearly all training photos stay within {limit:.0f}.",
    "size": "The face is only {value:.0f} pixels wide; nearly all training photos have at least {limit:.0f}.",
    "sharpness": "The photo is less sharp than nearly all training photos.",
    "dark": "The face is darker than nearly all training photos.",
    "bright": "The face is brighter than nearly all training photos.",
    "features": "The measurements of this face lie {value:.1f} x the typical distance from the training mean.",
    "shape": "The shape of this face lies {value:.1f} x the typical distance from the training mean.",
    "face": "The embedding of the whole face lies {value:.1f} x the typical distance from the training mean.",
}
REGION_WARNING = (
    "The {region} {verb} unlike the training photos. Is something covered, or the expression or light unusual?"
)
LOW = ("size", "sharpness", "dark")
"""Measures that warn below their limit; the others warn above it."""


@dataclass(frozen=True, eq=False)
class Novelty:
    """Typical values and limits of the training photos.

    middle      (3,) median yaw, pitch and roll, degrees
    limits      measure -> the value beyond which it warns
    spaces      features, shape, face and regions -> their principal components
    usual       space -> median distance of the training photos
    """

    middle: NDArray[np.float64]
    limits: Mapping[str, float]
    spaces: Mapping[str, Components]
    usual: Mapping[str, float]

    @classmethod
    def fit(cls, batch: FaceBatch, landmarks: NDArray[np.float32]) -> Self:
        """From the n training rows and their (n, P, 3) landmarks in pixels; labels are not used."""
        middle = np.median(pose(landmarks), axis=0)
        count = min(COMPONENTS, max(len(batch) // ROWS_A_COMPONENT, 2))
        spaces = {name: Components.fit(rows, count) for name, rows in _spaces(batch).items()}
        usual = {name: float(np.median(_distances(space, _spaces(batch)[name]))) for name, space in spaces.items()}
        fitted = cls(middle, {}, spaces, usual)
        measured = fitted.measure(batch, landmarks)
        quantile = {name: ALARM_RATE if name in LOW else 1 - ALARM_RATE for name in measured}
        limits = {
            name: float(np.nanquantile(values, quantile[name]))
            for name, values in measured.items()
            if np.isfinite(values).any()
        }
        return cls(middle, limits, spaces, usual)

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

    def warnings(self, batch: FaceBatch, landmarks: NDArray[np.float32]) -> tuple[str, ...]:
        """One sentence for each measure of one photo that is beyond its limit; `landmarks` is (P, 3)."""
        warnings = []
        for name, (value,) in self.measure(batch, landmarks[None]).items():
            limit = self.limits.get(name, np.nan)
            if value < limit if name in LOW else value > limit:
                region = name.removeprefix("looks ")
                verb = "look" if region.endswith("s") else "looks"
                message = WARNINGS.get(name, REGION_WARNING)
                warnings.append(message.format(value=value, limit=limit, region=region, verb=verb))
        return tuple(warnings)

    def save(self, folder: Path) -> None:
        """Write into a folder."""
        described = {
            "kind": "novelty",
            "middle": self.middle.tolist(),
            "limits": dict(self.limits),
            "usual": dict(self.usual),
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
            spaces = {
                name: Components(*(tensors[f"{name}/{part}"] for part in ("mean", "axes", "scale")))
                for name in described["usual"]
            }
            return cls(np.array(described["middle"]), described["limits"], spaces, described["usual"])


def pose(landmarks: NDArray[np.float32]) -> NDArray[np.float64]:
    """(n, P, 3) landmarks to (n, 3) yaw, pitch and roll in degrees, of the rotation from the canonical face.

    The least-squares rotation of two point sets (Kabsch 1976). Yaw is positive towards the subject's left, pitch when
    the head is lowered, roll when it is tilted clockwise in the photo.
    """
    topology = topology_of(landmarks)
    points = topology.of_mesh(landmarks).astype(np.float64)
    points = points - points.mean(axis=1, keepdims=True)
    frontal = topology.mesh - topology.mesh.mean(axis=0)
    left, _, right = np.linalg.svd(points.transpose(0, 2, 1) @ frontal)
    flip = np.ones((len(points), 3))
    flip[:, 2] = np.linalg.det(left @ right)
    turn = (left * flip[:, None, :]) @ right
    yaw = np.arctan2(-turn[:, 2, 0], np.hypot(turn[:, 0, 0], turn[:, 1, 0]))
    pitch = np.arctan2(turn[:, 2, 1], turn[:, 2, 2])
    roll = np.arctan2(turn[:, 1, 0], turn[:, 0, 0])
    angles: NDArray[np.float64] = np.degrees(np.stack([yaw, pitch, roll], axis=1))
    return angles


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
    return np.asarray(np.sqrt((within**2).mean(axis=1)) * np.sqrt(np.maximum(left, 0) + (space.scale**2).sum()))
