"""Sources turned back: what moves then is parallax, and the geometry says so."""

import numpy as np
import pytest
import torch
from data.rooms import CAMERA, SIZE, motion, pose_at, view
from torch import Tensor

from leadline.data.augment import Augmentation, augment
from leadline.data.collate import collate
from leadline.data.looking import looking_as_target
from leadline.data.rotation import rolled
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Sample

NEXT = Offset(1)
BORDER = 3


def room_sample(
    first: np.ndarray, second: np.ndarray, cameras: tuple[np.ndarray, np.ndarray] = (CAMERA, CAMERA)
) -> Sample:
    def colours(pose: np.ndarray, camera: np.ndarray) -> Tensor:
        return torch.from_numpy(view(pose, camera)[0]).expand(3, -1, -1).contiguous()

    return Sample(
        id="room",
        images={TARGET: colours(first, cameras[0]), NEXT: colours(second, cameras[1])},
        intrinsics={
            o: torch.from_numpy(k).float() for o, k in zip((TARGET, NEXT), cameras, strict=True)
        },
        known_poses={NEXT: torch.from_numpy(motion(first, second)).float()},
        depth=torch.from_numpy(view(first, cameras[0])[1]).float()[None],
    )


def difference(first: Tensor, second: Tensor, where: Tensor) -> float:
    """Mean over the pixels of `where` away from the border, in grey levels."""
    inner = torch.zeros_like(where)
    inner[..., BORDER:-BORDER, BORDER:-BORDER] = True
    return float((first.float() - second.float()).abs().mean(-3, True)[where & inner].mean())


@pytest.mark.parametrize(
    "camera", [CAMERA, np.array([[170.0, 0, 70], [0, 165, 66], [0, 0, 1]])], ids=["same", "other"]
)
def test_a_turn_on_the_spot_is_undone(camera: np.ndarray) -> None:
    first, second = pose_at([0, 0, 0]), pose_at([0, 0, 0], [4, -8, 10])
    sample = room_sample(first, second, (CAMERA, camera))
    turned = looking_as_target(sample, {NEXT: motion(first, second)[:3, :3]})
    seen = turned.in_picture[NEXT]
    assert 0.6 < seen.float().mean() < 1
    before = difference(sample.images[NEXT], sample.images[TARGET], seen)
    assert difference(turned.images[NEXT], turned.images[TARGET], seen) < 0.1 * before
    torch.testing.assert_close(turned.known_poses[NEXT], torch.eye(4), atol=1e-5, rtol=0)
    assert turned.intrinsics is not None
    torch.testing.assert_close(turned.intrinsics[NEXT], turned.intrinsics[TARGET])
    assert turned.in_picture[TARGET].all()


def test_it_is_what_a_camera_there_would_have_seen() -> None:
    first, second = pose_at([0, 0, 0]), pose_at([0.2, 0.1, 0.1], [4, -8, 10])
    virtual = first.copy()
    virtual[:3, 3] = second[:3, 3]
    turned = looking_as_target(room_sample(first, second), {NEXT: motion(first, second)[:3, :3]})
    truth = torch.from_numpy(view(virtual)[0])
    assert difference(turned.images[NEXT], truth.expand(3, -1, -1), turned.in_picture[NEXT]) < 2
    expected = torch.from_numpy(motion(first, virtual)).float()
    torch.testing.assert_close(turned.known_poses[NEXT], expected, atol=1e-5, rtol=0)
    assert abs(torch.linalg.det(turned.known_poses[NEXT][:3, :3]) - 1) < 1e-5


def explained(sample: Sample) -> tuple[float, float]:
    """Error of the source warped by truth where it was seen, and of the source as it stands."""
    batch = collate([sample])
    assert batch.depth is not None
    assert batch.intrinsics is not None
    warp = warp_by_depth(
        batch.images[NEXT],
        batch.depth,
        batch.known_poses[NEXT],
        batch.intrinsics[TARGET],
        batch.intrinsics[NEXT],
    )
    seen = warp_by_depth(
        batch.in_picture[NEXT].float(),
        batch.depth,
        batch.known_poses[NEXT],
        batch.intrinsics[TARGET],
        batch.intrinsics[NEXT],
        padding="zeros",
    ).image
    where = (seen > 0.99) & batch.in_picture[TARGET]
    target = batch.images[TARGET]
    return difference(warp.image, target, where), difference(batch.images[NEXT], target, where)


@pytest.mark.parametrize("augmentation", ["none", "mirror", "roll", "zoom"])
def test_truth_explains_what_was_turned_back_and_then_varied(augmentation: str) -> None:
    """The order matters: a roll goes by the camera that the source now has."""
    first, second = pose_at([0, 0, 0]), pose_at([0.15, 0.05, 0.1], [3, -6, 5])
    turned = looking_as_target(room_sample(first, second), {NEXT: motion(first, second)[:3, :3]})
    if augmentation == "roll":
        turned = rolled(turned, 0.3)
    elif augmentation != "none":
        zoom = 1.3 if augmentation == "zoom" else 1.0
        flip = "mirror" if augmentation == "mirror" else "none"
        settings = Augmentation(flip=flip, jitter=False, zoom=zoom)  # type: ignore[arg-type]
        turned = augment(turned, settings, np.random.default_rng(1))
    by_truth, as_it_stands = explained(turned)
    assert by_truth < 0.25 * as_it_stands


def test_a_roll_keeps_what_was_beyond_the_picture_beyond() -> None:
    first, second = pose_at([0, 0, 0]), pose_at([0, 0, 0], [0, 12, 0])
    sample = looking_as_target(room_sample(first, second), {NEXT: motion(first, second)[:3, :3]})
    hidden = ~sample.in_picture[NEXT]
    assert hidden.any()
    still = rolled(sample, 0.0).in_picture[NEXT]
    torch.testing.assert_close(still, sample.in_picture[NEXT])
    there = ~rolled(sample, 0.2).in_picture[NEXT]
    assert there[:, SIZE[0] // 2].sum() >= 0.8 * hidden[:, SIZE[0] // 2].sum()


def test_a_camera_that_looks_back_sees_nothing_of_it() -> None:
    first = pose_at([0, 0, 0])
    sample = room_sample(first, pose_at([0, 0, 0], [0, 180, 0]))
    turned = looking_as_target(sample, {NEXT: np.diag([-1.0, 1.0, -1.0])})
    assert not turned.in_picture[NEXT].any()


def test_what_is_not_turned_stays_and_no_camera_is_refused() -> None:
    sample = room_sample(pose_at([0, 0, 0]), pose_at([0.1, 0, 0]))
    assert looking_as_target(sample, {}) is sample
    pair = Sample(
        id="pair",
        images={
            TARGET: sample.images[TARGET],
            STEREO: sample.images[NEXT],
            NEXT: sample.images[NEXT],
        },
        intrinsics=sample.intrinsics,
    )
    turned = looking_as_target(pair, {NEXT: np.eye(3)})
    torch.testing.assert_close(turned.images[STEREO], pair.images[STEREO])
    torch.testing.assert_close(turned.images[NEXT], pair.images[NEXT])
    assert all(mask.all() for mask in turned.in_picture.values())
    bare = Sample(id="bare", images=sample.images)
    with pytest.raises(ValueError, match="bare: expected intrinsics, which a turn needs, got none"):
        looking_as_target(bare, {NEXT: np.eye(3)})
