"""Training on windows of pictures, at their scale; validation on the whole."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.test_augment import random_sample
from hypothesis import given
from hypothesis import strategies as st
from worlds import DEPTH, hints_of, write_stereo_folder

from leadline.data.augment import Augmentation, augment, flipped
from leadline.data.collate import collate
from leadline.data.gamma_jitter import PUBLISHED_RANGES
from leadline.data.module import DepthData
from leadline.data.rotation import black_beyond_pictures, rolled
from leadline.data.sources.folder import ImageFolder
from leadline.data.zoom import Window, draw_window, show_window
from leadline.offset import STEREO, TARGET
from leadline.types import Sample

SIZE = (20, 28)
MAPS = ("hint", "hint_confidence", "depth", "loss_mask")


def sliced(sample: Sample, left: int, top: int, size: tuple[int, int]) -> Sample:
    """The window cut by hand."""
    part = (slice(None), slice(top, top + size[0]), slice(left, left + size[1]))
    cameras = {}
    for offset, camera in sample.intrinsics.items():
        cameras[offset] = camera.clone()
        cameras[offset][0, 2] -= left
        cameras[offset][1, 2] -= top
    return replace(
        sample,
        images={offset: image[part] for offset, image in sample.images.items()},
        intrinsics=cameras,
        in_picture={offset: mask[part] for offset, mask in sample.in_picture.items()},
        **{name: getattr(sample, name)[part] for name in MAPS},
    )


def assert_same(one: Sample, other: Sample) -> None:
    for offset, image in one.images.items():
        assert torch.equal(image, other.images[offset])
        torch.testing.assert_close(one.intrinsics[offset], other.intrinsics[offset])
        if one.in_picture:
            assert torch.equal(one.in_picture[offset], other.in_picture[offset])
    for offset, pose in one.known_poses.items():
        torch.testing.assert_close(pose, other.known_poses[offset])
    for name in MAPS:
        assert torch.equal(getattr(one, name), getattr(other, name))
    assert one.zoom == other.zoom
    assert one.in_picture.keys() == other.in_picture.keys()


def place_of(seed: int, size: tuple[int, int]) -> tuple[int, int]:
    """Left and top, by the order of draws: seed, two coins, four factors, scale and place."""
    generator = np.random.default_rng(seed)
    generator.integers(2**63)
    generator.random(2)
    generator.uniform(size=4)
    _, down, right = generator.random(3)
    left, top = int(right * (SIZE[1] - size[1] + 1)), int(down * (SIZE[0] - size[0] + 1))
    return left, top


@given(
    seed=st.integers(0, 1000),
    height=st.integers(1, SIZE[0]),
    width=st.integers(1, SIZE[1]),
    rotation=st.sampled_from([0.0, 20.0]),
)
def test_a_window_is_a_slice_of_what_would_be_shown(
    seed: int, height: int, width: int, rotation: float
) -> None:
    """Not a bit of it is resampled; rolled and mirrored as the whole would have been."""
    sample, size = random_sample(seed, SIZE), (height, width)
    settings = Augmentation("none", rotation=rotation)
    whole = augment(sample, settings, np.random.default_rng(seed))
    left, top = place_of(seed, size)
    part = augment(sample, replace(settings, window=size), np.random.default_rng(seed))
    assert_same(part, sliced(whole, left, top, size))
    mirrored = replace(settings, window=size, flip="mirror")
    flip = augment(sample, mirrored, np.random.default_rng(seed))
    if flip.known_poses[STEREO].tolist() != part.known_poses[STEREO].tolist():
        assert_same(flip, flipped(part))


@given(
    seed=st.integers(0, 1000),
    settings=st.builds(
        Augmentation,
        flip=st.sampled_from(["none", "mirror"]),
        jitter=st.sampled_from([False, True, "gamma"]),
        zoom=st.sampled_from([1.0, 1.5]),
        rotation=st.sampled_from([0.0, 10.0]),
        window=st.sampled_from([None, (8, 12)]),
    ),
)
def test_a_sample_is_made_of_these_draws_in_this_order(seed: int, settings: Augmentation) -> None:
    """What was drawn before there were rolls, windows and gamma comes first, and as it did."""
    generator = np.random.default_rng(seed)
    number = int(generator.integers(2**63))
    flip, jitter = generator.random(2) < 0.5
    factors = [*generator.uniform(0.8, 1.2, size=3), generator.uniform(-0.1, 0.1)]
    share, down, right = generator.random(3)
    turn, *shares = generator.random(6)
    sample = random_sample(seed, SIZE)
    made = augment(sample, settings, np.random.default_rng(seed), (10, 14))
    assert made.seed == number
    coloured = jitter and settings.jitter is True
    assert made.jitter is None or made.jitter.tolist() == np.float32(factors).tolist()
    assert (made.jitter is not None) == coloured
    exposed = jitter and settings.jitter == "gamma"
    assert (made.gamma is not None) == exposed
    assert not exposed or torch.equal(made.gamma, PUBLISHED_RANGES.scaled(np.array(shares)))
    shown, scale = settings.window or (10, 14), settings.zoom**share
    height, width = (
        round(s * p / q / scale) for s, p, q in zip(SIZE, shown, (10, 14), strict=True)
    )
    window = Window(
        int(right * (SIZE[1] - width + 1)), int(down * (SIZE[0] - height + 1)), height, width
    )
    expected = sample
    if settings.rotation:
        expected = rolled(expected, np.deg2rad(settings.rotation) * (2 * turn - 1))
    expected = show_window(expected, window, shown, (10, 14))
    if flip and settings.flip == "mirror":
        expected = flipped(expected)
    assert_same(made, black_beyond_pictures(expected))


@given(seed=st.integers(0, 1000), share=st.floats(0.3, 1))
def test_a_zoomed_window_is_so_many_times_larger_than_the_whole(seed: int, share: float) -> None:
    """Of a picture shown at 10x14, read at twice the size: focal lengths tell by how much."""
    sample, picture = random_sample(seed, SIZE), (10, 14)
    size = (max(round(share * 10), 1), max(round(share * 14), 1))
    whole = show_window(sample, Window(0, 0, *SIZE), picture)
    part = augment(
        sample, Augmentation("none", zoom=2.0, window=size), np.random.default_rng(seed), picture
    )
    assert part.images[TARGET].shape[-2:] == size
    growth = part.intrinsics[TARGET][0, 0] / whole.intrinsics[TARGET][0, 0]
    assert part.zoom == pytest.approx(float(growth), rel=1e-5)


def test_without_a_change_of_scale_the_zoom_is_exactly_one() -> None:
    for width in range(1, 29):
        shown = show_window(random_sample(0, SIZE), Window(0, 0, 7, width), (7, width), SIZE)
        assert shown.zoom == 1


def test_windows_reach_every_border() -> None:
    drawn = [draw_window(SIZE, 1.0, np.random.default_rng(s), (0.5, 0.75)) for s in range(400)]
    assert {window.size for window in drawn} == {(10, 21)}
    assert {window.left for window in drawn} == set(range(8))
    assert {window.top for window in drawn} == set(range(11))


def data_of(root: Path, **settings: Any) -> DepthData:
    common = {"height": 64, "width": 96, "batch_size": 2, "workers": 0, "val_share": 0.2}
    data = DepthData(ImageFolder(root), **(common | {"hints": hints_of(root)} | settings))
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize("zoom", [1.0, 1.5])
def test_training_shows_windows_and_validation_the_whole(tmp_path: Path, zoom: float) -> None:
    root = write_stereo_folder(tmp_path / "world", count=10, size=(96, 144))
    cache = tmp_path / "cache"
    data = data_of(root, window=[32, 48], zoom=zoom, rotation=5, jitter="gamma", cache=cache)
    plain = data_of(root)
    places = set()
    for batch in data.train_dataloader():
        assert batch.size == (32, 48)
        assert batch.hint.shape == batch.loss_mask.shape == (2, 1, 32, 48)
        assert batch.hint.max() == pytest.approx(DEPTH, rel=1e-3)
        assert (batch.zoom is None) == (zoom == 1)
        # Truth in metres at another focal length: what the network sees is so many times nearer.
        factor = torch.ones(2) if batch.zoom is None else batch.zoom
        focal = 0.9 * 96 * factor
        torch.testing.assert_close(batch.intrinsics[TARGET][:, 0, 0], focal)
        places |= {tuple(camera[:2, 2].tolist()) for camera in batch.intrinsics[TARGET]}
        assert data.on_after_batch_transfer(batch, 0).inputs[STEREO].shape == (2, 3, 32, 48)
    assert len(places) == len(data.train_selection.frames)
    for one, other in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert one.size == (64, 96)
        assert one.zoom is one.gamma is one.loss_mask is None
        assert torch.equal(one.hint, other.hint)
        for offset, image in other.images.items():
            assert torch.equal(one.images[offset], image)
            assert torch.equal(one.intrinsics[offset], other.intrinsics[offset])


def test_items_depend_on_the_draw_alone(tmp_path: Path) -> None:
    root = write_stereo_folder(tmp_path / "world", count=4)
    settings = {"window": [16, 24], "rotation": 5, "jitter": "gamma", "zoom": 1.2, "val_share": 0}
    one, other = (data_of(root, **settings).train_dataloader().dataset for _ in range(2))
    for item in (3, 0, 2):
        first, second = collate([one[item]]), collate([other[item]])
        assert torch.equal(first.images[STEREO], second.images[STEREO])
        assert torch.equal(first.known_poses[STEREO], second.known_poses[STEREO])
        assert (first.gamma is None) == (second.gamma is None)


@pytest.mark.parametrize("window", [[32], [32, 48, 3], [65, 96], [64, 97], [0, 48], [-1, 48], []])
def test_what_is_no_window_is_refused(tmp_path: Path, window: list[int]) -> None:
    root = write_stereo_folder(tmp_path / "world", count=2)
    told = "window: expected [height, width] from [1, 1] to that of the pictures, [64, 96], got "
    with pytest.raises(ValueError, match=f"^{re.escape(told + str(window))}$"):
        DepthData(ImageFolder(root), height=64, width=96, window=window)
