"""A uniform sample of a stream, in memory of a fixed size."""

from __future__ import annotations

import numpy as np

from rewardkit_rm.evaluation.bootstrap import Clusters, Floats

__all__ = ["Reservoir"]

_OWN_STREAM = 0x52657365  # data that was drawn with the same seed must not decide which rows are kept


class Reservoir:
    """Keeps rows of a stream, each with the same probability; all of them while they fit.

    Every row draws a random number, and those with the smallest are kept, in the order they came.

    Args:
        size: Rows to keep at most.
        seed: The same seed and stream give the same sample.

    Example:
        >>> sample = Reservoir(2)
        >>> sample.add({"margin": np.array([1.0, 2.0, 3.0])}, np.array([7, 8, 9], dtype=np.uint64))
        >>> sample.seen, sample.exact, len(sample["margin"]), len(sample.clusters)
        (3, False, 2, 2)
    """

    def __init__(self, size: int, seed: int = 0) -> None:
        self.size = size
        self.seen = 0
        self._random = np.random.default_rng((seed, _OWN_STREAM))
        self._threshold = np.inf
        self._parts: list[tuple[Floats, Clusters, dict[str, Floats]]] = []

    @property
    def exact(self) -> bool:
        """Whether every row is there."""
        return self.seen <= self.size

    def __len__(self) -> int:
        return min(self.seen, self.size)

    def add(self, columns: dict[str, Floats], clusters: Clusters) -> None:
        """Take in rows as columns of shape ``(N,)``, the same ones in every call, with what stands for their prompt."""
        draws = self._random.random(len(clusters))
        kept = draws < self._threshold
        self.seen += len(clusters)
        self._parts.append((draws[kept], clusters[kept], {name: values[kept] for name, values in columns.items()}))
        if sum(len(part[0]) for part in self._parts) > self.size + max(self.size // 4, 1024):
            self._merge()

    def __getitem__(self, name: str) -> Floats:
        """Return the values of a column in the sample."""
        self._merge()
        return self._parts[0][2][name]

    @property
    def clusters(self) -> Clusters:
        """What stands for the prompts of the rows in the sample."""
        self._merge()
        return self._parts[0][1]

    def _merge(self) -> None:
        if len(self._parts) == 1 and len(self._parts[0][0]) <= self.size:
            return
        draws = np.concatenate([part[0] for part in self._parts])
        keep = np.arange(len(draws))
        if len(draws) > self.size:
            keep = np.sort(np.argpartition(draws, self.size - 1)[: self.size])
            self._threshold = float(draws[keep].max())
        names = self._parts[0][2]
        columns = {name: np.concatenate([part[2][name] for part in self._parts])[keep] for name in names}
        clusters = np.concatenate([part[1] for part in self._parts])[keep]
        self._parts = [(draws[keep], clusters, columns)]
