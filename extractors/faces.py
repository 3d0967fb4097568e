"""The face crops of stored images, for networks that learn from pixels."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import CROP_SIZE, align_face
from extractors.decode import decode
from featurestore.store import Store


def load_faces(store: Store, image_ids: tuple[str, ...], on_progress: Callable[[int, int], None]) -> NDArray[np.uint8]:
    """(n, 256, 256, 3) uint8 RGB in the order of `image_ids`, cut by the stored landmarks.

    Raises InputError or PhotoError when a photo is no longer there or no longer readable.
    """
    rows = store.frame(
        "SELECT image_id, root || '/' || path AS path, x, y, z FROM landmarks "
        "JOIN images USING (image_id) JOIN locations USING (data_set) "
        "SEMI JOIN (SELECT unnest($ids::VARCHAR[]) AS image_id) USING (image_id)",
        ids=list(image_ids),
    )
    row_of = {image_id: row for row, image_id in enumerate(rows["image_id"])}
    landmarks = np.stack([rows[axis].to_numpy() for axis in "xyz"], axis=2)
    paths = rows["path"].to_list()
    faces = np.empty((len(image_ids), CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
    for i, image_id in enumerate(image_ids):
        row = row_of[image_id]
        crop = align_face(decode(Path(paths[row])), landmarks[row])
        faces[i] = crop.image
        on_progress(i + 1, len(image_ids))
    return faces
