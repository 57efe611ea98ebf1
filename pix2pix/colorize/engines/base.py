"""What an engine is."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import numpy as np

from pix2pix.colorize.engines.chance import Chance, neutral

Outputs = Mapping[str, np.ndarray]


class Engine(ABC):
    """Runs a net. Threads may share one; a call takes no more cores than `strips.share` says.

    Equal inputs give equal bits, by the same engine on as many threads.
    """

    kind: ClassVar[str]
    """Its name: "onnx", "openvino" or "torch"."""
    device: str
    """Where it runs: "cpu", "cuda", "mps" ..."""
    multiple: int
    """Height and width of the net's input are multiples of this."""
    chances: Sequence[Chance]
    """The net's layers of dropout and noise, in their order."""
    asides: Collection[str] = ()
    """The outputs that are computed only where they are asked for: what a classifier sees.

    "features", of nets on one, and "polarity", of those that tell photos from negatives; files of
    earlier versions lack them.
    """

    @abstractmethod
    def run(self, source: np.ndarray, chances: Sequence[np.ndarray] | None = None) -> Outputs:
        """Run the net on source (B, C, H, W) float32 -> its outputs, float32.

        `answer` (B, 2 or 3, H, W) in [-1, 1]; of nets with color bins also `ab` (B, 2, H, W), one
        head's alone, and `logits` (B, bins, H/4, W/4). `chances` are the values of the layers of
        dropout and noise (see chance.py); without, they do nothing.
        """

    def aside(self, name: str, source: np.ndarray) -> np.ndarray:
        """Compute one of `asides` from source (B, C, H, W) float32, and no more -> float32.

        Those are `BackboneUNet.features`, (B, F, H/8, W/8), and `BackboneUNet.polarity`,
        (B, 1, 1, 1). Raises LookupError for another.
        """
        if name not in self.asides:
            raise LookupError(f"this net has no {name}")
        return self._aside(name, source)

    def _aside(self, name: str, source: np.ndarray) -> np.ndarray:
        """`aside`, of a name that this engine has."""
        raise NotImplementedError

    @property
    def has_features(self) -> bool:
        """Whether it has `features`."""
        return "features" in self.asides

    def features(self, source: np.ndarray) -> np.ndarray:
        """Run the encoder on source (B, C, H, W) float32 -> features (B, F, H/8, W/8), float32.

        Those of `BackboneUNet.features`. Raises LookupError where `has_features` is false.
        """
        return self.aside("features", source)

    def values(self, source: np.ndarray, chances: Sequence[np.ndarray] | None) -> list[np.ndarray]:
        """The values of the chance layers for each picture of source: one draw is for all of it."""
        if chances is None:
            return neutral(self.chances, *source.shape[-2:], batch=len(source))
        return [np.repeat(value, len(source) // len(value), 0) for value in chances]

    def inputs(
        self, source: np.ndarray, chances: Sequence[np.ndarray] | None
    ) -> dict[str, np.ndarray]:
        """The inputs of an exported graph by name."""
        values = self.values(source, chances)
        drawn = {f"chance{i}": value for i, value in enumerate(values)}
        return {"source": np.ascontiguousarray(source, np.float32), **drawn}
