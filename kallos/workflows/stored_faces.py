"""Face crops and landmarks of stored images, for models that use pixels and poses."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import CROP_SIZE, align_face
from extractors.decode import decode
from extractors.errors import InputError
from extractors.file_hash import sha256_of_file
from extractors.spec import Face
from featurestore.store import Store
from kallos.workflows.progress import OnProgress, ignore


@dataclass(frozen=True)
class PhotoFile:
    """Where a stored image lies, and the hash of its bytes when it was ingested."""

    path: Path
    sha256: str

    def read(self) -> NDArray[np.uint8]:
        """(h, w, 3) uint8 RGB. Raises InputError or PhotoError when it is missing, unreadable or another one."""
        image = decode(self.path)
        if sha256_of_file(self.path) != self.sha256:
            raise InputError(
                f"{self.path} has changed since it was ingested: put the former file back, or ingest its data set "
                "again and run `kallos extract`."
            )
        return image


def photo_files(store: Store) -> dict[str, PhotoFile]:
    """image_id -> its file."""
    rows = store.frame("SELECT image_id, root || '/' || path, sha256 FROM images JOIN locations USING (data_set)")
    return {image_id: PhotoFile(Path(path), sha256) for image_id, path, sha256 in rows.iter_rows()}


def load_faces(store: Store, image_ids: tuple[str, ...], on_progress: OnProgress = ignore) -> NDArray[np.uint8]:
    """(n, 256, 256, 3) uint8 RGB in the order of `image_ids`. Raises as `aligned_faces`."""
    faces = np.empty((len(image_ids), CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    for i, face in enumerate(aligned_faces(store, image_ids)):
        faces[i] = face.crop
        on_progress(i + 1, len(image_ids), "reading faces")
    return faces


def aligned_faces(store: Store, image_ids: tuple[str, ...]) -> Iterator[Face]:
    """The faces of photos in the order of `image_ids`, cropped by the stored landmarks.

    Raises InputError or PhotoError when a photo is missing, no longer readable, or not the one that was ingested.
    """
    photos = photo_files(store)
    for image_id, landmarks in zip(image_ids, load_landmarks(store, image_ids), strict=True):
        image = photos[image_id].read()
        yield Face(landmarks, align_face(image, landmarks), None)


def load_landmarks(store: Store, image_ids: tuple[str, ...]) -> NDArray[np.float32]:
    """(n, P, 3) float32 pixels in the order of `image_ids`, which must all have landmarks."""
    rows = store.frame(
        "SELECT image_id, x, y, z FROM landmarks "
        "SEMI JOIN (SELECT unnest($ids::VARCHAR[]) AS image_id) USING (image_id)",
        ids=list(image_ids),
    )
    row_of = {image_id: row for row, image_id in enumerate(rows["image_id"])}
    landmarks = np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2)
    return landmarks[[row_of[image_id] for image_id in image_ids]]
