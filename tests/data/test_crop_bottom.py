"""A cropped data set is the data set of cropped files."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from data.tiny_trees import BASELINE, CX, CY, FOCAL, SEQUENCE, SIZE, write_kitti

from leadline.data.cache import SampleCache, fill_cache
from leadline.data.confidence_files import confidence_path, read_confidence, write_confidence
from leadline.data.crop_bottom import check_crop_bottom, upper_rows
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import read_disparity, write_depth, write_disparity
from leadline.data.image_tensors import load_image
from leadline.data.module import DepthData
from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.offset import STEREO, TARGET
from leadline.types import Sample

FRAME = FrameId(SEQUENCE, 1)
CUT, KEPT = 0.25, 18
SMALL = (9, 32)


def write_world(root: Path, rows: int) -> tuple[KittiRaw, Path]:
    """A drive with truth, hints and confidence, of which only the upper rows were ever there."""
    source = KittiRaw(write_kitti(root / "kitti"))
    hints, rng = root / "hints", np.random.default_rng(0)
    path = root / "kitti" / SEQUENCE / "proj_depth/exact/image_02/0000000001.npz"
    write_depth(path, rng.uniform(2, 50, SIZE).astype(np.float32)[:rows])
    hint = source.hint_path(FRAME)
    write_disparity(hints / hint, rng.uniform(1, 9, SIZE).astype(np.float32)[:rows], {})
    certain = rng.integers(1, 255, SIZE, np.uint8)[:rows]
    write_confidence(confidence_path(hints, hint), certain)
    if rows != SIZE[0]:
        for frame in source.frames:
            image = source.image_path(frame)
            cv2.imwrite(str(image), cv2.imread(str(image))[:rows])
        calibration = root / "kitti/2011_09_26/calib_cam_to_cam.txt"
        text = calibration.read_text()
        calibration.write_text(text.replace(f"{SIZE[1]} {SIZE[0]}", f"{SIZE[1]} {rows}"))
        source = KittiRaw(root / "kitti")
    return source, hints


def read(source: KittiRaw, hints: Path, cut: float, cache: SampleCache | None = None) -> Sample:
    extras = Extras(hints, hint_confidence=True, depth=True)
    dataset = DepthDataset(
        source, [FRAME], (STEREO,), SMALL, extras=extras, crop_bottom=cut, cache=cache
    )
    return dataset.read(FRAME)


def assert_same(one: Sample, other: Sample) -> None:
    for offset in (TARGET, STEREO):
        assert torch.equal(one.images[offset], other.images[offset])
        assert one.intrinsics is not None
        assert other.intrinsics is not None
        torch.testing.assert_close(one.intrinsics[offset], other.intrinsics[offset])
    for name in ("hint", "hint_confidence", "depth"):
        assert torch.equal(getattr(one, name), getattr(other, name)), name


def test_everything_of_a_sample_is_cropped_alike(tmp_path: Path) -> None:
    whole, hints = write_world(tmp_path / "whole", SIZE[0])
    upper, upper_hints = write_world(tmp_path / "upper", KEPT)
    cropped = read(whole, hints, CUT)
    assert_same(cropped, read(upper, upper_hints, 0))
    assert not torch.equal(cropped.images[TARGET], read(whole, hints, 0).images[TARGET])


def test_a_pixel_above_the_cut_keeps_its_ray(tmp_path: Path) -> None:
    source, hints = write_world(tmp_path, SIZE[0])
    intrinsics = read(source, hints, CUT).intrinsics
    assert intrinsics is not None
    u, v = 40.0, 7.0
    ray = np.array([(u - CX) / FOCAL, (v - CY) / FOCAL, 1])
    seen = intrinsics[TARGET].numpy() @ ray
    rows, columns = SMALL[0] / KEPT, SMALL[1] / SIZE[1]
    expected = [(u + 0.5) * columns - 0.5, (v + 0.5) * rows - 0.5, 1]
    assert seen == pytest.approx(expected, abs=1e-4)


def test_metres_of_hints_do_not_depend_on_the_cut(tmp_path: Path) -> None:
    source, hints = write_world(tmp_path, SIZE[0])
    path = source.hint_path(FRAME)
    disparity = read_disparity(hints / path)
    certain = read_confidence(confidence_path(hints, path), SIZE)
    sample = DepthDataset(
        source, [FRAME], (), (KEPT, SIZE[1]), extras=Extras(hints, True), crop_bottom=CUT
    ).read(FRAME)
    assert sample.hint is not None
    assert sample.hint_confidence is not None
    np.testing.assert_allclose(sample.hint[0], FOCAL * BASELINE / disparity[:KEPT], rtol=1e-6)
    np.testing.assert_allclose(sample.hint_confidence[0], certain[:KEPT] / 255, rtol=1e-6)


def test_a_cache_knows_how_much_was_cut_off(tmp_path: Path) -> None:
    source, hints = write_world(tmp_path, SIZE[0])
    folder = tmp_path / "cache"
    filled = fill_cache(source, folder, SMALL, 1, hints, True, CUT)
    assert (filled.written, filled.kept) == (10, 0)
    cache = SampleCache(source, folder, SMALL, hints, True, CUT)
    assert cache.image(FRAME) is not None
    assert_same(read(source, hints, CUT, cache), read(source, hints, CUT))
    other = SampleCache(source, folder, SMALL, hints, True)
    assert other.image(FRAME) is other.hint(FRAME) is other.hint_confidence(FRAME) is None


@pytest.mark.parametrize("height", [96, 100])
def test_a_jpeg_decoded_small_is_cut_at_the_same_row(tmp_path: Path, height: int) -> None:
    """96 x 0.75 = 72 rows divide by 8; 75 rows divide by nothing, and are decoded whole."""
    coarse = np.random.default_rng(0).integers(0, 256, (4, 5, 3), np.uint8)
    picture = cv2.resize(coarse, (160, height), interpolation=cv2.INTER_CUBIC)
    cv2.imwrite(str(tmp_path / "a.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 100])
    cv2.imwrite(str(tmp_path / "a.png"), cv2.imread(str(tmp_path / "a.jpg")))
    both = [
        load_image(tmp_path / name, (9, 20), (height, 160), crop_bottom=CUT).int()
        for name in ("a.jpg", "a.png")
    ]
    assert (both[0] - both[1]).abs().max() <= 6


def test_batches_of_a_data_module_are_cropped(tmp_path: Path) -> None:
    source, _ = write_world(tmp_path, SIZE[0])
    size = {"height": SMALL[0], "width": SMALL[1], "batch_size": 2, "workers": 0}
    data = DepthData(source, cache=tmp_path / "cache", crop_bottom=CUT, val_share=0.5, **size)
    data.prepare_data()
    data.setup()
    batch = next(iter(data.val_dataloader()))
    frame = FrameId.parse(batch.ids[0])
    expected = load_image(source.image_path(frame), SMALL, SIZE, crop_bottom=CUT)
    assert torch.equal((batch.images[TARGET][0] * 255).round().byte(), expected)


def test_what_is_no_share_is_refused() -> None:
    for wrong in (-0.1, 1.0, 25.0):
        with pytest.raises(ValueError, match="crop_bottom: expected a share of the height from 0"):
            check_crop_bottom(wrong)
    assert [upper_rows(height, 0.25) for height in (1024, 192, 10, 1)] == [768, 144, 8, 1]
