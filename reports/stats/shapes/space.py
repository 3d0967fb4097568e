"""The shapes of a sample of faces: mean, principal components, and directions to move a face along."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from extractors.alignment import Shapes, unit_shapes
from extractors.topologies.registry import topology_of
from extractors.topology import Topology
from featurestore.errors import UsageError
from reports.stats.bootstrap import Reals
from reports.stats.shapes.procrustes import Aligned, shaped

VARIANCE_HELD = 0.99999
"""Part of the variance of shapes that the components hold; small ones tell of scores, too. The rest is rounding."""

SHOWN = 10
"""Components that tables have."""

SEXES = ("female", "male")


@dataclass(frozen=True, eq=False)
class ShapeSpace:
    """n faces after generalised Procrustes analysis.

    aligned     their shapes and mean
    components  (K, 2M) principal components, unit vectors, the largest first; x of the landmarks, then y
    scores      (n, K) of each face on them, in Procrustes units
    variance    of shapes in all: the sum over all components
    """

    topology: Topology
    aligned: Aligned
    components: Reals
    scores: Reals
    variance: float

    @classmethod
    def of(cls, landmarks: Reals) -> Self:
        """From (n, P, 2) landmarks in any unit, y down. Raises ValueError for a number of landmarks that no set has."""
        topology = topology_of(landmarks)
        aligned = Aligned.of(unit_shapes(topology.of_mesh(landmarks)), upright(topology))
        tangent = aligned.tangent
        tangent -= tangent.mean(axis=0)
        values, vectors = np.linalg.eigh(tangent.T @ tangent / (len(tangent) - 1))
        shares = np.cumsum(values[::-1]) / values.sum()
        count = int(np.searchsorted(shares, VARIANCE_HELD)) + 1
        components = vectors[:, ::-1][:, : min(count, len(tangent) - 1)].T
        # either sign will do; this one does not depend on the machine
        components *= np.sign(components[np.arange(len(components)), np.abs(components).argmax(axis=1)])[:, None]
        return cls(topology, aligned, components, tangent @ components.T, float(values.sum()))

    @property
    def mirror(self) -> NDArray[np.int64]:
        return self.topology.mesh_mirror

    @cached_property
    def sds(self) -> Reals:
        """(K,) standard deviations of the scores."""
        return np.asarray(self.scores.std(axis=0, ddof=1))

    def along_component(self, number: int) -> Shapes:
        """(M,) what one standard deviation of a component changes, from 1. Raises UsageError where there is none."""
        if not 1 <= number <= len(self.components):
            raise UsageError(f"There is no component {number}: these shapes have {len(self.components)}.")
        return shaped(self.components[number - 1] * self.sds[number - 1])

    def along_score(self, score: Reals) -> Shapes:
        """(M,) the regression of shape on (n,) scores: what one standard deviation of them changes; NaN is left out."""
        known = np.isfinite(score)
        if known.sum() < 3 or np.ptp(score[known]) == 0:
            raise UsageError("The scores of these faces do not vary: choose faces with other ratings.")
        standard = (score[known] - score[known].mean()) / score[known].std(ddof=1)
        return shaped(standard @ self.scores[known] @ self.components / (known.sum() - 1))

    def along_sex(self, sex: Sequence[str | None]) -> Shapes:
        """(M,) sexual dimorphism: the mean of men's shapes less that of women's. Raises UsageError without both."""
        sexes = np.array([each or "" for each in sex])
        if missing := [each for each in SEXES if not (sexes == each).any()]:
            raise UsageError(f"No face is known to be {missing[0]}: ingest a column sex, or choose other faces.")
        women, men = (self.scores[sexes == each].mean(axis=0) for each in SEXES)
        return shaped((men - women) @ self.components)


def upright(topology: Topology) -> Shapes:
    """(M,) the canonical face as a unit shape: how means are turned."""
    return np.asarray(unit_shapes(topology.mesh[None])[0])
