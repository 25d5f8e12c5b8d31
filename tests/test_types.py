"""The contract checks itself and moves as one."""

import pytest
import torch
from jaxtyping import TypeCheckError

from leadline.geometry.pose import invert_pose
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Batch, LossValue


def batch_of(count: int, height: int = 4, width: int = 6) -> Batch:
    image = torch.rand(count, 3, height, width)
    return Batch(
        ids=tuple(str(i) for i in range(count)),
        images={TARGET: image, STEREO: image},
        inputs={TARGET: image, STEREO: image},
        available={STEREO: torch.ones(count, dtype=torch.bool)},
        intrinsics={TARGET: torch.eye(3).expand(count, 3, 3)},
    )


def test_shape_checks_are_awake() -> None:
    with pytest.raises(TypeCheckError):
        invert_pose(torch.eye(3)[None])
    with pytest.raises(TypeCheckError):
        Batch(
            ids=("a",),
            images={TARGET: torch.rand(1, 4, 4, 6)},
            inputs={},
            available={},
        )


def test_offsets_are_read_from_recipes() -> None:
    frames = [Offset.parse(value) for value in (0, -1, "1", "stereo")]
    assert frames == [TARGET, Offset(-1), Offset(1), STEREO]
    assert [str(offset) for offset in frames] == ["+0", "-1", "+1", "stereo"]
    with pytest.raises(ValueError, match="'left'"):
        Offset.parse("left")


def test_a_batch_moves_as_one() -> None:
    moved = batch_of(2).to("meta")
    assert moved.images[STEREO].is_meta
    assert moved.intrinsics is not None
    assert moved.intrinsics[TARGET].is_meta
    assert moved.ids == ("0", "1")
    assert moved.hint is None


def test_sources_leave_out_the_target() -> None:
    batch = batch_of(2)
    assert batch.sources == (STEREO,)
    assert batch.size == (4, 6)
    assert len(batch) == 2


def test_a_loss_on_nothing_is_zero_and_has_a_gradient() -> None:
    total = torch.zeros(2, requires_grad=True)
    value = LossValue(sum=total, count=torch.tensor([0.0, 4.0])).mean()
    value.backward()
    assert value == 0
    assert torch.isfinite(total.grad).all()  # type: ignore[arg-type]
