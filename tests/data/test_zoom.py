"""A part of the scene shown larger: pixels, maps and cameras still tell of one world in metres."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from data.test_augment import random_sample
from data.tiny_trees import CX, FOCAL, SEQUENCE, write_kitti
from data.tiny_trees import SIZE as NATIVE
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from worlds import DEPTH, hints_of, write_stereo_folder

from leadline.data.augment import Augmentation, augment
from leadline.data.collate import collate
from leadline.data.module import DepthData
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.kitti import KittiRaw
from leadline.data.zoom import Window, draw_window, show_window
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET
from leadline.photometry.error import photometric_error
from leadline.types import Batch, Sample

OLD, NEW = (20, 28), (9, 13)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    height, width = draw(st.integers(2, OLD[0])), draw(st.integers(2, OLD[1]))
    return Window(
        left=draw(st.integers(0, OLD[1] - width)),
        top=draw(st.integers(0, OLD[0] - height)),
        height=height,
        width=width,
    )


def pixel_of(point: Tensor, intrinsics: Tensor) -> Tensor:
    image = intrinsics.double() @ point
    return image[:2] / image[2]


@given(window=windows(), x=st.floats(-3, 3), y=st.floats(-3, 3), z=st.floats(2, 50))
def test_a_point_falls_where_the_window_shows_it(
    window: Window, x: float, y: float, z: float
) -> None:
    """In every camera, the outer borders of the window are those of the new image."""
    sample = random_sample(0, OLD)
    shown = show_window(sample, window, NEW)
    assert sample.intrinsics is not None
    assert shown.intrinsics is not None
    point = torch.tensor([x, y, z]).double()
    for offset, old in sample.intrinsics.items():
        before, after = pixel_of(point, old), pixel_of(point, shown.intrinsics[offset])
        share = (before + 0.5 - torch.tensor([window.left, window.top])) / torch.tensor(
            [window.width, window.height]
        )
        expected = share * torch.tensor([NEW[1], NEW[0]]) - 0.5
        torch.testing.assert_close(after, expected, rtol=1e-4, atol=1e-3)


@given(window=windows())
def test_the_zoom_is_how_much_larger_things_are_than_in_the_whole(window: Window) -> None:
    sample = random_sample(0, OLD)
    whole, part = (show_window(sample, w, NEW) for w in (Window(0, 0, *OLD), window))
    assert whole.intrinsics is not None
    assert part.intrinsics is not None
    growth = part.intrinsics[TARGET][0, 0] / whole.intrinsics[TARGET][0, 0]
    assert part.zoom == pytest.approx(float(growth), rel=1e-5)
    assert whole.zoom == 1


def test_the_whole_at_its_own_size_is_the_sample_itself() -> None:
    sample = random_sample(0, OLD)
    assert show_window(sample, Window(0, 0, *OLD), OLD) is sample


@pytest.mark.parametrize("row", [4, 11])
@pytest.mark.parametrize("column", [5, 20])
def test_maps_stay_under_their_pixels(row: int, column: int) -> None:
    """One mark in the picture, its hint, its depth and its mask, found at one place afterwards."""
    sample = random_sample(0, OLD)
    mark = (slice(None), slice(row, row + 4), slice(column, column + 4))
    for image in sample.images.values():
        image[:] = 0
        image[mark] = 255
    for values in (sample.hint, sample.depth):
        assert values is not None
        values[:] = 0
        values[mark] = 7.0
    assert sample.loss_mask is not None
    sample.loss_mask[:] = False
    sample.loss_mask[mark] = True
    shown = show_window(sample, Window(left=3, top=2, height=16, width=24), (32, 48))
    place = torch.zeros(1, 32, 48, dtype=torch.bool)
    place[:, 2 * (row - 2) : 2 * (row + 2), 2 * (column - 3) : 2 * (column + 1)] = True
    assert torch.equal(shown.images[TARGET][:1] > 127, place)
    assert shown.loss_mask is not None
    assert shown.hint is not None
    assert shown.depth is not None
    assert torch.equal(shown.loss_mask, place)
    assert torch.equal(shown.hint, 7.0 * place)
    # Depth is scattered, never made: a quarter of the larger image's pixels know it.
    assert shown.depth.count_nonzero() == 16
    assert place[shown.depth > 0].all()
    assert set(shown.depth.unique().tolist()) == {0.0, 7.0}


@given(window=windows())
def test_confidence_moves_with_its_hint(window: Window) -> None:
    """A confidence that is a function of the hint still is the same one."""
    sample = random_sample(0, OLD)
    sample = replace(sample, hint_confidence=1 / sample.hint)
    shown = show_window(sample, window, NEW)
    assert shown.hint_confidence.shape == (1, *NEW)
    assert torch.equal(shown.hint_confidence, 1 / shown.hint)


def test_windows_are_everywhere_and_of_every_scale() -> None:
    size, largest = (100, 200), 2.0
    drawn = [draw_window(size, largest, np.random.default_rng(seed)) for seed in range(2000)]
    for window in drawn:
        assert window.left >= 0
        assert window.top >= 0
        assert window.left + window.width <= size[1]
        assert window.top + window.height <= size[0]
    scales = np.array([size[1] / window.width for window in drawn])
    assert scales.min() < 1.01
    assert 1.99 < scales.max() <= largest
    shares = np.histogram(np.log(scales), bins=4, range=(0, np.log(largest)))[0] / len(drawn)
    assert np.abs(shares - 0.25).max() < 0.04
    zoomed = [window for window in drawn if window.width < 150]
    ends = np.array([[w.left / (size[1] - w.width), w.top / (size[0] - w.height)] for w in zoomed])
    assert ends.min(0) == pytest.approx([0, 0], abs=0.01)
    assert ends.max(0) == pytest.approx([1, 1], abs=0.01)
    assert ends.mean(0) == pytest.approx([0.5, 0.5], abs=0.05)
    assert {draw_window(size, 1.0, np.random.default_rng(s)) for s in range(20)} == {
        Window(0, 0, *size)
    }


def test_zooming_leaves_flip_colours_and_seed_alone() -> None:
    sample = random_sample(0, OLD)
    for seed in range(20):
        plain, zoomed = (
            augment(sample, Augmentation(zoom=zoom), np.random.default_rng(seed), OLD)
            for zoom in (1.0, 2.0)
        )
        assert plain.seed == zoomed.seed
        assert (plain.jitter is None) == (zoomed.jitter is None)
        assert plain.known_poses[STEREO].tolist() == zoomed.known_poses[STEREO].tolist()
        assert zoomed.images[TARGET].shape[-2:] == OLD


@pytest.fixture
def data(tmp_path: Path) -> DepthData:
    """A textured wall at a known distance, zoomed up to twice, through a cache."""
    root = write_stereo_folder(tmp_path / "world", count=10, size=(96, 144))
    data = DepthData(
        ImageFolder(root),
        height=32,
        width=48,
        batch_size=4,
        workers=0,
        val_share=0.2,
        hints=hints_of(root),
        jitter=False,
        zoom=2.0,
        cache=tmp_path / "cache",
    )
    data.prepare_data()
    data.setup()
    return data


def error_of_the_hint(batch: Batch) -> float:
    """Mean error of the picture that the hint makes of the other camera's, inside of it."""
    assert batch.hint is not None
    assert batch.intrinsics is not None
    view = warp_by_depth(
        batch.images[STEREO],
        batch.hint,
        batch.known_poses[STEREO],
        batch.intrinsics[TARGET],
        batch.intrinsics[STEREO],
    )
    error = photometric_error(view.image, batch.images[TARGET])
    return float(error[view.in_view].mean())


def test_batches_are_zoomed_and_their_geometry_explains_the_pictures(data: DepthData) -> None:
    whole = error_of_the_hint(next(iter(data.val_dataloader())))
    zooms = []
    for batch in data.train_dataloader():
        assert batch.size == (32, 48)
        assert batch.hint.unique().tolist() == pytest.approx([DEPTH], rel=1e-3)
        assert batch.zoom is not None
        zooms += batch.zoom.tolist()
        assert error_of_the_hint(batch) < 1.5 * whole
    assert len(zooms) == 12
    assert len(set(zooms)) > 8
    assert min(zooms) >= 1
    assert max(zooms) > 1.5


def test_validation_is_the_same_with_and_without(data: DepthData) -> None:
    """Pictures, hints and cameras are not brought through the larger size."""
    plain = DepthData(
        data.source,
        height=32,
        width=48,
        batch_size=4,
        workers=0,
        val_share=0.2,
        hints=data.needs.hints,
        jitter=False,
    )
    plain.setup()
    for zoomed, whole in zip(data.val_dataloader(), plain.val_dataloader(), strict=True):
        assert zoomed.zoom is None
        assert zoomed.ids == whole.ids
        assert torch.equal(zoomed.hint, whole.hint)
        for offset, image in whole.images.items():
            assert torch.equal(zoomed.images[offset], image)
            assert torch.equal(zoomed.intrinsics[offset], whole.intrinsics[offset])


def test_true_depth_moves_with_its_pixels(tmp_path: Path) -> None:
    """Truth that tells the column it was measured at is found where the new camera sees that
    column.
    """
    root = write_kitti(tmp_path / "kitti", count=6)
    height, width = NATIVE
    depth = np.zeros(NATIVE, np.float32)
    depth[::2, ::2] = 1 + np.arange(0, width, 2)
    for index in range(6):
        path = root / SEQUENCE / "proj_depth/velodyne/image_02" / f"{index:010d}.npz"
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, velodyne_depth=depth)
    data = DepthData(
        KittiRaw(root),
        height=height // 2,
        width=width // 2,
        batch_size=2,
        workers=0,
        val_share=0,
        train_depth=True,
        flip="none",
        zoom=2.0,
    )
    data.setup()
    for batch in data.train_dataloader():
        for depth_map, camera in zip(batch.depth, batch.intrinsics[TARGET], strict=True):
            rows, columns = torch.nonzero(depth_map[0], as_tuple=True)
            measured = depth_map[0, rows, columns] - 1
            seen = (columns - camera[0, 2]) / camera[0, 0] * FOCAL + CX
            assert len(columns) > height * width / 40
            # A pixel covers up to two columns of the file, and so does a measurement its pixel.
            assert (measured - seen).abs().max() <= 2


def test_a_zoom_below_one_is_refused(tmp_path: Path) -> None:
    root = write_stereo_folder(tmp_path / "world", count=2)
    with pytest.raises(ValueError, match=r"^zoom: expected 1 or more, got 0.5$"):
        DepthData(ImageFolder(root), zoom=0.5)


def test_a_whole_sample_among_zoomed_ones_has_zoom_1() -> None:
    sample = random_sample(0, OLD)
    shown: list[Sample] = [sample, show_window(sample, Window(0, 0, 10, 14), OLD)]
    zoom = collate(shown).zoom
    assert zoom is not None
    assert zoom.tolist() == [1, 2]
    assert collate([sample, sample]).zoom is None
