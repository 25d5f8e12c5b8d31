"""Randomness that is counted, not carried: every draw is a function of what it is for."""

from enum import IntEnum

import numpy as np

_WORD = 2**64


class Purpose(IntEnum):
    """What a stream of random numbers is for: streams of different purposes share no number."""

    AUGMENTATION = 0
    ORDER = 1


def counted_generator(seed: int, epoch: int, item: int, purpose: Purpose) -> np.random.Generator:
    """The generator that belongs to one item of one epoch, whoever asks, in whatever order.

    Philox with `seed` and `purpose` as its key and `item` and `epoch` as the upper half of its
    counter. The lower half counts the draws, so that no two items ever meet. A resumed, sharded or
    re-ordered run is therefore the same run.
    """
    key = np.array([seed % _WORD, purpose], np.uint64)
    counter = np.array([0, 0, item, epoch], np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))
