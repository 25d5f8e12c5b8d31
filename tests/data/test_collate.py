import math
from dataclasses import replace

import pytest
import torch

from leadline.data.collate import collate
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Sample

BEFORE, AFTER = Offset(-1), Offset(1)
K = torch.tensor([[9.0, 0, 5], [0, 9, 4], [0, 0, 1]])


def make(name: str, offsets: tuple[Offset, ...], value: int = 255, size: int = 4) -> Sample:
    return Sample(
        id=name,
        images={o: torch.full((3, size, 6), value, dtype=torch.uint8) for o in offsets},
        intrinsics={o: K * (1 + 0.1 * o.camera) for o in offsets},
        seed=2**63 - 1,
    )


def test_images_are_floats_from_zero_to_one() -> None:
    batch = collate([make("a", (TARGET,), 255), make("b", (TARGET,), 51)], unit=5.4)
    assert batch.ids == ("a", "b")
    assert batch.images[TARGET].dtype == torch.float32
    assert batch.images[TARGET][:, 0, 0, 0].tolist() == pytest.approx([1.0, 0.2])
    assert batch.inputs[TARGET] is batch.images[TARGET]
    assert batch.unit == 5.4
    assert batch.seeds is not None
    assert batch.seeds.tolist() == [2**63 - 1] * 2
    assert (
        batch.jitter
        is batch.hint
        is batch.hint_confidence
        is batch.depth
        is batch.loss_mask
        is None
    )


def test_a_missing_neighbour_is_absent_and_never_a_copy() -> None:
    whole = replace(
        make("a", (TARGET, BEFORE, STEREO)),
        known_poses={STEREO: torch.eye(4)},
        distance={BEFORE: 0.5},
        seconds={BEFORE: -0.1},
    )
    batch = collate([whole, make("b", (TARGET,))], (TARGET, BEFORE, AFTER, STEREO))
    assert tuple(batch.images) == (TARGET, BEFORE, AFTER, STEREO)
    assert batch.available[BEFORE].tolist() == [True, False]
    assert batch.available[AFTER].tolist() == [False, False]
    assert batch.available[TARGET].tolist() == [True, True]
    assert (batch.images[BEFORE][1] == 0).all()
    assert (batch.images[AFTER] == 0).all()
    assert batch.intrinsics is not None
    assert torch.equal(batch.intrinsics[STEREO][1], K)
    assert torch.equal(batch.intrinsics[STEREO][0], K * 1.1)
    assert torch.equal(batch.known_poses[STEREO][0], torch.eye(4))
    assert batch.known_poses[STEREO][1].isnan().all()
    assert BEFORE not in batch.known_poses
    assert batch.distance[BEFORE][0] == 0.5
    assert math.isnan(batch.distance[BEFORE][1])
    assert batch.seconds[BEFORE][0] == pytest.approx(-0.1)


def test_offsets_default_to_those_there_are() -> None:
    batch = collate([make("a", (TARGET, AFTER)), make("b", (TARGET, BEFORE))])
    assert tuple(batch.images) == (TARGET, AFTER, BEFORE)


def test_gaps_in_maps_and_jitter() -> None:
    bare = make("a", (TARGET,))
    full = replace(
        bare,
        hint=torch.full((1, 4, 6), 3.0),
        hint_confidence=torch.full((1, 4, 6), 0.5),
        depth=torch.full((1, 8, 12), 2.0),
        loss_mask=torch.zeros(1, 4, 6, dtype=torch.bool),
        jitter=torch.tensor([0.8, 1.0, 1.0, 0.1]),
    )
    batch = collate([bare, full])
    for maps, value in ((batch.hint, 3), (batch.hint_confidence, 0.5), (batch.depth, 2)):
        assert maps is not None
        assert (maps[0] == 0).all()
        assert (maps[1] == value).all()
    assert batch.depth is not None
    assert batch.depth.shape == (2, 1, 8, 12)
    assert batch.loss_mask is not None
    assert batch.loss_mask[0].all()
    assert not batch.loss_mask[1].any()
    assert batch.jitter is not None
    assert batch.jitter[0].tolist() == [1, 1, 1, 0]


def test_no_camera_at_all_or_an_error() -> None:
    bare = replace(make("bare", (TARGET,)), intrinsics=None)
    assert collate([bare, bare]).intrinsics is None
    with pytest.raises(ValueError, match="bare: expected intrinsics as the rest of the batch has"):
        collate([make("a", (TARGET,)), bare])


def test_sizes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"b: expected images of one size .* got \(3, 8, 6\)"):
        collate([make("a", (TARGET,)), make("b", (TARGET,), size=8)])
