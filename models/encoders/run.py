"""The CNN encoder: a frozen network, stored as a graph, from face crops to embeddings of the face and its regions."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.networks.onnx_graphs import Graph


class Encoder:
    """A network that `EncoderNetwork.save` wrote. Float32: bfloat16 would make embeddings depend on the processor.

    Kernels round otherwise for other batch sizes and numbers of threads. One photo at a time on one thread, a photo has
    the very same embedding alone and among thousands; the other cores work on the next photos meanwhile.
    """

    def __init__(self, folder: Path) -> None:
        """Raises BundleError when the folder holds no readable graph."""
        self._graph = Graph(folder)

    def encode(
        self, face: NDArray[np.uint8], cells: NDArray[np.float32]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(S, S, 3) uint8 RGB to (dim,) of the whole face, and (channels, K) means of the maps in each cell.

        `cells` is (K, 4): left, top, right, bottom as parts of S.
        """
        vector, pooled = self._graph.run(face=face, cells=cells)
        return vector, pooled
