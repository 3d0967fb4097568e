"""The sets of landmarks, a line each. The first is the one that photos are measured with; the others stay readable."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from extractors.topologies import facemesh_468, mediapipe_478
from extractors.topology import Topology

TOPOLOGIES: tuple[Topology, ...] = (mediapipe_478.TOPOLOGY, facemesh_468.TOPOLOGY)


def current() -> Topology:
    """The set that photos are measured with."""
    return TOPOLOGIES[0]


def topology_of(landmarks: NDArray[Any]) -> Topology:
    """The set of (..., P, 2) or (..., P, 3) landmarks, by their number: so an array cannot be taken for another set's.

    Raises ValueError for a number that no set has.
    """
    number = landmarks.shape[-2]
    for topology in TOPOLOGIES:
        if topology.number == number:
            return topology
    raise ValueError(f"no set of landmarks has {number}: {', '.join(t.label for t in TOPOLOGIES)}")
