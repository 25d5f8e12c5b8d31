import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from leadline.data.randomness import Purpose, counted_generator

numbers = st.integers(0, 2**40)


def draws(seed: int, epoch: int, item: int, purpose: Purpose) -> list[float]:
    return list(counted_generator(seed, epoch, item, purpose).random(4))


@given(seed=st.integers(-(2**63), 2**63), epoch=numbers, item=numbers)
def test_what_is_drawn_depends_on_the_count_alone(seed: int, epoch: int, item: int) -> None:
    here = draws(seed, epoch, item, Purpose.AUGMENTATION)
    assert here == draws(seed, epoch, item, Purpose.AUGMENTATION)
    others = [(seed + 1, epoch, item), (seed, epoch + 1, item), (seed, epoch, item + 1)]
    for other in others:
        assert not set(here) & set(draws(*other, Purpose.AUGMENTATION))
    assert not set(here) & set(draws(seed, epoch, item, Purpose.ORDER))


def test_items_do_not_share_their_later_numbers() -> None:
    streams = [counted_generator(0, 0, item, Purpose.ORDER).random(5000) for item in range(8)]
    assert len(np.unique(np.concatenate(streams))) == 8 * 5000
