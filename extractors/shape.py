"""The shape of the face: its landmarks without place, size and roll."""

from extractors import alignment
from extractors.outputs import Field
from extractors.spec import Extractor
from extractors.topologies.registry import current


def _fields() -> tuple[Field, ...]:
    topology = current()
    meaning = f"{len(topology.mesh)} x then {len(topology.mesh)} y; centred, unit size, upright"
    return (Field("shape", f"float32[{topology.shape_length}]", meaning),)


EXTRACTOR = Extractor(
    name="shape",
    view="shapes",
    comment="one row an image: 2-D landmarks, Procrustes-aligned to MediaPipe's canonical face",
    fields=_fields,
    code_version=alignment.VERSION,
    measure=lambda landmarks: {"shape": alignment.procrustes_shape(landmarks)},
)
