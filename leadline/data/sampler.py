"""The order in which items are drawn: counted, sharded over ranks, resumable in mid-epoch."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, DistributedSampler

from leadline.data.randomness import Purpose, counted_generator
from leadline.types import Batch, Sample


class Draw(NamedTuple):
    """One item of one epoch: what a sampler yields and a data set is indexed by."""

    epoch: int
    item: int


class CountedSampler(DistributedSampler[Any]):
    """Draws of one epoch in an order that depends on (seed, epoch) alone.

    The order is dealt to `world_size` ranks in turn; where it does not divide, its first items
    are drawn again at the end, so that all ranks take equally many steps. A resume skips the
    first `start` items of the epoch, counted over all ranks; `len` stays that of the whole
    epoch, which is what a trainer counts against.

    The epoch travels with each item, since workers that live on would not hear of a new one. Being
    a `DistributedSampler`, it is left in place by Lightning.
    """

    def __init__(
        self,
        length: int,
        seed: int = 0,
        epoch: int = 0,
        start: int = 0,
        rank: int = 0,
        world_size: int = 1,
        shuffle: bool = True,
    ) -> None:
        if length < 1 or not 0 <= rank < world_size:
            raise ValueError(
                f"expected items and a rank below the world size, got {length} items, rank {rank} "
                f"of {world_size}"
            )
        self.length = length
        self.seed = seed
        self.epoch = epoch
        self.start = start
        self.rank = rank
        self.num_replicas = world_size
        self.shuffle = shuffle

    def set_epoch(self, epoch: int) -> None:
        """Begin another epoch at its first item; the current one keeps its start."""
        if epoch != self.epoch:
            self.epoch, self.start = epoch, 0

    def __iter__(self) -> Iterator[Draw]:
        order = np.arange(self.length)
        if self.shuffle:
            order = counted_generator(self.seed, self.epoch, 0, Purpose.ORDER).permutation(order)
        left = order[self.start :]
        padding = -len(left) % self.num_replicas
        padded = np.concatenate([left, np.resize(order, padding)])
        for item in padded[self.rank :: self.num_replicas]:
            yield Draw(self.epoch, int(item))

    def __len__(self) -> int:
        return -(-self.length // self.num_replicas)


class CountedLoader(DataLoader[Sample]):
    """Batches in the order of a `CountedSampler`, with a state: (epoch, items consumed).

    The iterator starts at the first `next`, not when it is made: a trainer may set the epoch in
    between.
    """

    def __init__(
        self,
        dataset: Dataset[Sample],
        sampler: CountedSampler,
        batch_size: int,
        workers: int,
        collate: Callable[[Sequence[Sample]], Batch],
        drop_last: bool,
    ) -> None:
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            collate_fn=collate,
            pin_memory=torch.cuda.is_available(),
            drop_last=drop_last,
            worker_init_fn=one_thread,
            persistent_workers=workers > 0,
        )
        self._order = sampler
        self._consumed = sampler.start

    def __iter__(self) -> Iterator[Batch]:  # type: ignore[override]
        self._consumed = self._order.start
        for batch in super().__iter__():
            self._consumed += len(batch) * self._order.num_replicas
            yield batch

    def state_dict(self) -> dict[str, int]:
        """Where the run is: the epoch, and the items that all ranks consumed of it."""
        return {"epoch": self._order.epoch, "consumed": self._consumed}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on behind the items that were consumed."""
        self._order.epoch, self._order.start = state["epoch"], state["consumed"]
        self._consumed = state["consumed"]


def one_thread(worker: int) -> None:
    """Keep the threads of OpenCV out of a worker process: the workers are the parallelism."""
    cv2.setNumThreads(0)
