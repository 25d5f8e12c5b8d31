"""Cameras rolled about their axes: pictures, truth and poses still tell of one world in metres."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data.test_augment import BEFORE, assert_equal, random_sample
from data.tiny_trees import SIZE as NATIVE
from data.tiny_trees import write_drive, write_kitti
from hypothesis import given
from hypothesis import strategies as st
from scenes import texture
from torch import Tensor
from worlds import DEPTH, hints_of, write_stereo_folder

from leadline.data.augment import Augmentation, augment, flipped
from leadline.data.collate import collate
from leadline.data.dataset import DepthDataset
from leadline.data.module import DepthData
from leadline.data.rotation import black_beyond_pictures, rolled
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.zoom import Window, show_window
from leadline.geometry.camera import backproject, pixel_grid
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET
from leadline.photometry.error import photometric_error, whole_windows
from leadline.types import Batch, Sample

SIZE = (20, 28)
angles = st.floats(-1.2, 1.2)


def turn(angle: float) -> np.ndarray:
    cosine, sine = math.cos(angle), math.sin(angle)
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def picture_sample(seed: int, size: tuple[int, int] = SIZE) -> Sample:
    """Smooth pictures, maps of noise, and cameras that differ in all that a camera has."""
    sample = random_sample(seed, size)
    random = np.random.default_rng(seed)
    u, v, _ = pixel_grid(*size, torch.zeros(1))
    cameras = {
        offset: torch.tensor(
            [
                [random.uniform(15, 40), random.uniform(-2, 2), random.uniform(5, 25)],
                [0, random.uniform(15, 40), random.uniform(4, 16)],
                [0, 0, 1],
            ],
            dtype=torch.float32,
        )
        for offset in sample.images
    }
    images = {
        offset: (texture(u + 9 * i, v) * 255).round().byte()
        for i, offset in enumerate(sample.images)
    }
    return replace(sample, images=images, intrinsics=cameras)


@given(seed=st.integers(0, 1000))
def test_no_roll_changes_no_bit(seed: int) -> None:
    for sample in (random_sample(seed, SIZE), replace(random_sample(seed, SIZE), intrinsics=None)):
        still = black_beyond_pictures(rolled(sample, 0.0))
        for offset, image in sample.images.items():
            assert torch.equal(still.images[offset], image)
            assert still.in_picture[offset].all()
        for offset, pose in sample.known_poses.items():
            assert torch.equal(still.known_poses[offset], pose)
        for name in ("hint", "hint_confidence", "depth", "loss_mask"):
            assert torch.equal(getattr(still, name), getattr(sample, name))
        assert still.intrinsics is sample.intrinsics


def origins(camera: Tensor, angle: float) -> np.ndarray:
    """Where each new pixel was, by the ray that it sees: (h, w, 2)."""
    K = camera.double().numpy()
    places = np.zeros((*SIZE, 2))
    for v in range(SIZE[0]):
        for u in range(SIZE[1]):
            ray = turn(angle).T @ np.linalg.inv(K) @ (u, v, 1)
            places[v, u] = (K @ ray)[:2]
    return places


def read(image: np.ndarray, u: float, v: float) -> np.ndarray:
    """Bilinear, (c,) of (c, h, w); the borders go on."""
    left, top = math.floor(u), math.floor(v)
    value = 0
    for row, down in ((top, 1 - v + top), (top + 1, v - top)):
        for column, right in ((left, 1 - u + left), (left + 1, u - left)):
            place = min(max(row, 0), SIZE[0] - 1), min(max(column, 0), SIZE[1] - 1)
            value = value + down * right * image[(slice(None), *place)].astype(float)
    return value


@given(seed=st.integers(0, 1000), angle=angles)
def test_every_pixel_shows_what_its_ray_saw_before(seed: int, angle: float) -> None:
    """Pixel by pixel, frame by frame with its own camera, against the slow and obvious."""
    sample = picture_sample(seed)
    turned = rolled(sample, angle)
    for offset, image in sample.images.items():
        places = origins(sample.intrinsics[offset], angle)
        for v, u in np.ndindex(SIZE):
            x, y = places[v, u]
            distance = min(x + 0.5, SIZE[1] - 0.5 - x, y + 0.5, SIZE[0] - 0.5 - y)
            if abs(distance) < 1e-6:
                continue
            inside = distance > 0
            assert turned.in_picture[offset][0, v, u] == inside
            if inside:
                expected = read(image.numpy(), x, y)
                assert np.abs(turned.images[offset][:, v, u].numpy() - expected).max() < 2
            if offset == TARGET and np.abs(places[v, u] % 1 - 0.5).min() > 1e-6:
                old = (0, round(y), round(x)) if inside else None
                for name in ("hint", "hint_confidence", "loss_mask"):
                    was, now = getattr(sample, name), getattr(turned, name)[0, v, u]
                    assert now == (was[old] if inside else 0)


@given(seed=st.integers(0, 1000), angle=angles)
def test_points_fall_where_the_rolled_cameras_see_them(seed: int, angle: float) -> None:
    """The flow from target to source is the same one, turned at either end."""
    sample = picture_sample(seed)
    turned = rolled(sample, angle)
    points = np.random.default_rng(seed).uniform([-3, -2, 4], [3, 2, 30], (50, 3)).T

    def seen(of: Sample, offset: object, there: np.ndarray) -> np.ndarray:
        image = of.intrinsics[offset].double().numpy() @ there
        return image / image[2]

    for offset in (STEREO, BEFORE):
        pose, rolled_pose = (s.known_poses[offset].double().numpy() for s in (sample, turned))
        moved = pose[:3, :3] @ points + pose[:3, 3:]
        moved_rolled = rolled_pose[:3, :3] @ (turn(angle) @ points) + rolled_pose[:3, 3:]
        np.testing.assert_allclose(moved_rolled, turn(angle) @ moved, atol=1e-4)
        K = sample.intrinsics[offset].double().numpy()
        homography = K @ turn(angle) @ np.linalg.inv(K)
        np.testing.assert_allclose(
            seen(turned, offset, moved_rolled), homography @ seen(sample, offset, moved), atol=1e-2
        )


def test_a_quarter_turn_brings_the_partner_below() -> None:
    pose = rolled(random_sample(0), math.pi / 2).known_poses[STEREO]
    expected = torch.eye(4)
    expected[1, 3] = -0.4
    torch.testing.assert_close(pose, expected)


@given(seed=st.integers(0, 1000), angle=st.floats(-0.5, 0.5))
def test_the_depth_of_a_tilted_plane_turns_with_it(seed: int, angle: float) -> None:
    sample = picture_sample(seed)
    K = sample.intrinsics[TARGET].double()
    normal = np.array([0.1, -0.2, 1.0])

    def plane(facing: np.ndarray) -> Tensor:
        rays = backproject(torch.ones(1, 1, *SIZE).double(), K[None])
        return 8 / torch.einsum("i,bihw->bhw", torch.from_numpy(facing), rays)

    # Such planes stand before the camera in all of the picture.
    before, after = plane(normal), plane(turn(angle) @ normal)
    made = black_beyond_pictures(
        rolled(replace(sample, depth=before.float(), depth_is_dense=True), angle)
    )
    turned, known = made.depth, made.depth > 0
    assert known.sum() > 0.4 * known.numel()
    # A surface gets no holes.
    assert torch.equal(known, made.in_picture[TARGET])
    # The nearest old centre is half the diagonal of a pixel away at most.
    steps = sum(np.abs(np.gradient(after[0].numpy(), axis=axis)) for axis in (0, 1))
    off = (turned - after)[0].abs().numpy()
    assert (off <= 0.75 * steps + 1e-4)[known[0].numpy()].all()


@given(seed=st.integers(0, 1000), angle=angles)
def test_sparse_measurements_move_and_are_neither_mixed_nor_doubled(
    seed: int, angle: float
) -> None:
    sample = picture_sample(seed)
    random = np.random.default_rng(seed)
    chosen = random.choice(SIZE[0] * SIZE[1], 60, replace=False)
    depth = np.zeros(SIZE, np.float32)
    depth.flat[chosen] = random.permutation(np.linspace(2, 80, 60)).astype(np.float32)
    sample = replace(sample, depth=torch.from_numpy(depth)[None])
    turned = black_beyond_pictures(rolled(sample, angle))
    found = turned.depth[0].numpy()
    K = sample.intrinsics[TARGET].double().numpy()
    homography = K @ turn(angle) @ np.linalg.inv(K)
    expected: dict[tuple[int, int], float] = {}
    for v, u in np.argwhere(depth):
        x, y, _ = homography @ (u, v, 1)
        place = math.floor(y + 0.5), math.floor(x + 0.5)
        expected[place] = min(expected.get(place, np.inf), depth[v, u])
    for place in np.ndindex(SIZE):
        if turned.in_picture[TARGET][0][place]:
            assert found[place] == expected.get(place, 0)
        else:
            assert found[place] == 0


def test_what_comes_from_beyond_is_black_and_masked() -> None:
    sample = picture_sample(3)
    sample = replace(sample, images={o: i.clamp(min=1) for o, i in sample.images.items()})
    done = black_beyond_pictures(rolled(sample, 0.6))
    for offset, image in done.images.items():
        assert torch.equal((image > 0).all(0, keepdim=True), done.in_picture[offset])
    allowed = rolled(sample, 0.6).loss_mask
    assert torch.equal(done.loss_mask, allowed & done.in_picture[TARGET])
    assert not done.in_picture[TARGET].all()
    bare = black_beyond_pictures(rolled(replace(sample, loss_mask=None), 0.6))
    assert torch.equal(bare.loss_mask, done.in_picture[TARGET])


def test_no_black_is_mixed_into_pictures_that_are_resized() -> None:
    white = {TARGET: torch.full((3, *SIZE), 200, dtype=torch.uint8)}
    sample = Sample(id="x", images=white)
    for size in ((9, 13), (33, 47)):
        shown = show_window(rolled(sample, 0.3), Window(0, 0, *SIZE), size)
        assert set(black_beyond_pictures(shown).images[TARGET].unique().tolist()) == {0, 200}


@given(seed=st.integers(0, 1000), angle=angles)
def test_in_a_mirror_cameras_roll_the_other_way(seed: int, angle: float) -> None:
    """Flip, then roll back, is roll, then flip: but for pixels within rounding of an edge."""
    sample = picture_sample(seed)
    one, other = flipped(rolled(sample, angle)), rolled(flipped(sample), -angle)
    for offset in sample.images:
        torch.testing.assert_close(one.intrinsics[offset], other.intrinsics[offset])
        assert (one.in_picture[offset] != other.in_picture[offset]).sum() <= 2
        off = (one.images[offset].int() - other.images[offset].int()).abs()
        assert (off > 2).sum() <= 6
    for offset, pose in one.known_poses.items():
        torch.testing.assert_close(pose, other.known_poses[offset])


@pytest.mark.parametrize("aspect", [0.5, 1.0, 2.0])
def test_without_cameras_square_pixels_of_the_file_turn(aspect: float) -> None:
    """About the middle, and pixels that were resized to others as they were before."""
    hint = torch.zeros(1, 41, 41)
    hint[0, 20, 20 + round(8 * aspect)] = 5.0
    images = {TARGET: torch.zeros(3, 41, 41, dtype=torch.uint8)}
    sample = Sample(id="x", images=images, hint=hint, pixel_aspect=aspect)
    turned = rolled(sample, math.pi / 2).hint
    assert turned[0, 28, 20] == 5
    assert set(turned.unique().tolist()) == {0, 5}


@given(aspect=st.floats(0.3, 3), top=st.integers(0, 5), height=st.integers(2, 15))
def test_the_shape_of_pixels_changes_as_intrinsics_do(aspect: float, top: int, height: int) -> None:
    sample = replace(random_sample(0, SIZE), pixel_aspect=aspect)
    camera = torch.tensor([[aspect, 0, 3.0], [0, 1.0, 2.0], [0, 0, 1.0]])
    sample = replace(sample, intrinsics=dict.fromkeys(sample.images, camera))
    shown = show_window(sample, Window(left=2, top=top, height=height, width=17), (9, 13))
    K = shown.intrinsics[TARGET]
    assert shown.pixel_aspect == pytest.approx(float(K[0, 0] / K[1, 1]), rel=1e-5)


def test_the_shape_of_pixels_is_read_where_it_is_needed(tmp_path: Path) -> None:
    bare = KittiRaw(write_drive(tmp_path / "bare").parents[1])
    size = (NATIVE[0], NATIVE[1] // 2)

    def aspect(source: KittiRaw, rotation: float, crop_bottom: float = 0.0) -> float:
        dataset = DepthDataset(
            source,
            source.frames,
            (STEREO,),
            size,
            augmentation=Augmentation(rotation=rotation),
            crop_bottom=crop_bottom,
        )
        return dataset.read(source.frames[0]).pixel_aspect

    assert aspect(bare, rotation=5.0) == pytest.approx(0.5)
    assert aspect(bare, rotation=5.0, crop_bottom=0.5) == pytest.approx(0.25)
    assert aspect(bare, rotation=0.0) == 1
    assert aspect(KittiRaw(write_kitti(tmp_path / "kitti")), rotation=5.0) == 1


def angle_of(sample: Sample, before: Sample) -> float:
    """Degrees by which the baseline has turned."""
    was, now = (s.known_poses[STEREO][:2, 3].double() for s in (before, sample))
    angle = math.degrees(math.atan2(now[1], now[0]) - math.atan2(was[1], was[0]))
    return (angle + 180) % 360 - 180


def test_rolls_are_even_and_change_no_other_draw() -> None:
    sample = random_sample(0, SIZE)
    found = []
    for seed in range(400):
        plain, turned = (
            augment(
                sample,
                Augmentation("none", rotation=rotation),
                np.random.default_rng(seed),
            )
            for rotation in (0.0, 30.0)
        )
        assert plain.seed == turned.seed
        assert (plain.jitter is None) == (turned.jitter is None)
        assert plain.jitter is None or torch.equal(plain.jitter, turned.jitter)
        assert plain.loss_mask is sample.loss_mask
        assert plain.in_picture == {}
        assert turned.intrinsics[TARGET].tolist() == sample.intrinsics[TARGET].tolist()
        found.append(angle_of(turned, sample))
    assert -30 <= min(found) < -29
    assert 29 < max(found) <= 30
    counts = np.histogram(found, bins=4, range=(-30, 30))[0]
    assert counts.min() > 70
    again = augment(sample, Augmentation(rotation=30.0), np.random.default_rng(7))
    assert_equal(again, augment(sample, Augmentation(rotation=30.0), np.random.default_rng(7)))


def test_a_pair_that_is_swapped_may_have_been_rolled() -> None:
    sample = random_sample(0, SIZE, video=False)
    for seed in range(8):
        made = augment(sample, Augmentation("swap", rotation=20.0), np.random.default_rng(seed))
        assert torch.equal(made.loss_mask, made.in_picture[TARGET])
        for offset, image in made.images.items():
            assert not (image * ~made.in_picture[offset]).any()


def error_of_the_hint(batch: Batch, poses: Tensor | None = None) -> float:
    """Mean error of the picture that the hint makes of the other camera's, where both show one."""
    view = warp_by_depth(
        batch.images[STEREO],
        batch.hint.where(batch.hint > 0, 1.0),
        batch.known_poses[STEREO] if poses is None else poses,
        batch.intrinsics[TARGET],
        batch.intrinsics[STEREO],
    )
    error = photometric_error(view.image, batch.images[TARGET])
    shown = warp_by_depth(
        batch.in_picture[STEREO].float(),
        batch.hint.where(batch.hint > 0, 1.0),
        batch.known_poses[STEREO],
        batch.intrinsics[TARGET],
        batch.intrinsics[STEREO],
    ).image
    seen = whole_windows(shown > 0.99) & whole_windows(batch.in_picture[TARGET])
    return float(error[view.in_view & seen].mean())


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_rolled_batches_have_geometry_that_explains_the_pictures(
    tmp_path: Path, zoom: float
) -> None:
    root = write_stereo_folder(tmp_path / "world", count=8, size=(96, 144))
    settings = {"height": 64, "width": 96, "batch_size": 4, "workers": 0, "val_share": 0}
    settings |= {"hints": hints_of(root), "jitter": False}
    source = ImageFolder(root)
    data, plain = (
        DepthData(source, rotation=rotation, zoom=zoom, cache=tmp_path / "cache", **settings)
        for rotation in (25.0, 0.0)
    )
    for module in (data, plain):
        module.prepare_data()
        module.setup()
    still = collate([plain.train_dataloader().dataset[i] for i in range(8)])
    everywhere = {o: torch.ones_like(image[:, :1]) > 0 for o, image in still.images.items()}
    whole = error_of_the_hint(replace(still, in_picture=everywhere))
    dataset = data.train_dataloader().dataset
    turned = collate([dataset[i] for i in range(8)])
    assert torch.equal(turned.hint > 0, turned.loss_mask)
    assert turned.hint.max() == pytest.approx(DEPTH, rel=1e-3)
    assert 0.5 < turned.loss_mask.float().mean() < 0.99
    error = error_of_the_hint(turned)
    assert error < 2.5 * whole
    # Poses as they were before, mirrored where the batch is, explain far less.
    level = turned.known_poses[STEREO].clone()
    level[:, 0, 3] = level[:, :3, 3].norm(dim=1) * level[:, 0, 3].sign()
    level[:, 1, 3] = 0
    assert error_of_the_hint(turned, level) > 20 * error
    for one, other in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert torch.equal(one.images[TARGET], other.images[TARGET])
        assert one.in_picture == {}


@pytest.mark.parametrize("rotation", [-1.0, 181.0, float("nan")])
def test_what_is_no_angle_is_refused(tmp_path: Path, rotation: float) -> None:
    root = write_stereo_folder(tmp_path / "world", count=2)
    with pytest.raises(
        ValueError, match=r"^rotation: expected degrees from 0 \(none\) to 180, got"
    ):
        DepthData(ImageFolder(root), rotation=rotation)
