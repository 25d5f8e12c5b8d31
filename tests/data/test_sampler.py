from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset, DistributedSampler

from leadline.data.collate import collate
from leadline.data.sampler import CountedLoader, CountedSampler, Draw
from leadline.offset import TARGET
from leadline.types import Sample


class Numbers(Dataset[Sample]):
    """Samples that are named by what they were asked for."""

    def __getitem__(self, draw: Draw) -> Sample:
        return Sample(f"{draw.epoch}:{draw.item}", {TARGET: torch.zeros(3, 2, 2).byte()})


def loader(length: int = 10, batch_size: int = 3, workers: int = 0, seed: int = 0) -> CountedLoader:
    sampler = CountedSampler(length, seed)
    return CountedLoader(Numbers(), sampler, batch_size, workers, collate, drop_last=False)


def ids(batches: Iterator[object]) -> list[str]:
    return [name for batch in batches for name in batch.ids]


@given(
    length=st.integers(1, 40),
    world_size=st.integers(1, 5),
    epoch=st.integers(0, 3),
    steps=st.integers(0, 8),
)
def test_ranks_share_an_epoch_and_a_resume_takes_the_rest(
    length: int, world_size: int, epoch: int, steps: int
) -> None:
    start = min(steps, -(-length // world_size)) * world_size
    whole, left = [], []
    for rank in range(world_size):
        shard = {"rank": rank, "world_size": world_size, "seed": 3, "epoch": epoch}
        first = list(CountedSampler(length, **shard))
        resumed = list(CountedSampler(length, start=start, **shard))
        assert len(first) == len(CountedSampler(length, start=start, **shard))
        assert resumed == first[start // world_size :]
        assert {draw.epoch for draw in first} == {epoch}
        whole.append([draw.item for draw in first])
        left.append(len(resumed))
    assert len(set(left)) == 1
    items = [item for step in zip(*whole, strict=True) for item in step]
    assert sorted(items[:length]) == list(range(length))
    assert items[length:] == items[: len(items) - length]


def test_order_changes_with_epoch_and_seed_and_not_without_shuffling() -> None:
    orders = {tuple(d.item for d in CountedSampler(20, s, e)) for s in (0, 1) for e in (0, 1)}
    assert len(orders) == 4
    assert [d.item for d in CountedSampler(20, shuffle=False)] == list(range(20))


def test_lightning_takes_it_for_a_sharded_sampler() -> None:
    assert isinstance(CountedSampler(3), DistributedSampler)


def test_an_impossible_shard_is_an_error() -> None:
    with pytest.raises(ValueError, match="got 0 items, rank 0 of 1"):
        CountedSampler(0)
    with pytest.raises(ValueError, match="got 5 items, rank 2 of 2"):
        CountedSampler(5, rank=2, world_size=2)


def test_a_new_epoch_starts_at_its_first_item_and_the_same_one_goes_on() -> None:
    sampler = CountedSampler(5, epoch=1, start=2)
    sampler.set_epoch(1)
    assert sampler.start == 2
    sampler.set_epoch(2)
    assert sampler.start == 0


def test_state_after_some_batches_gives_the_others() -> None:
    whole = ids(iter(loader()))
    first = loader()
    batches = iter(first)
    seen = ids(next(batches) for _ in range(2))
    assert first.state_dict() == {"epoch": 0, "consumed": 6}
    second = loader()
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict()
    assert len(second) == len(first) == 4
    assert seen + ids(iter(second)) == whole


def test_the_epoch_may_be_set_after_the_iterator_is_made() -> None:
    batches = loader()
    iterator = iter(batches)
    batches.sampler.set_epoch(7)
    assert all(name.startswith("7:") for name in ids(iterator))


def test_workers_that_live_on_hear_of_each_epoch() -> None:
    batches = loader(workers=1)
    first = ids(iter(batches))
    batches.sampler.set_epoch(1)
    second = ids(iter(batches))
    assert all(name.startswith("0:") for name in first)
    assert all(name.startswith("1:") for name in second)
    assert [name[2:] for name in first] != [name[2:] for name in second]
