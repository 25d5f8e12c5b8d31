import os
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from data.tiny_trees import (
    DATE,
    FOCAL,
    SEQUENCE,
    cut_short,
    write_calibration,
    write_drive,
    write_image,
    write_kitti,
)
from leftovers import leave_half_a_file

from leadline.data import cache as cache_module
from leadline.data.cache import Filled, SampleCache, fill_cache
from leadline.data.confidence_files import confidence_path, write_confidence
from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import write_disparity
from leadline.data.hint_maps import load_hint
from leadline.data.image_tensors import load_image
from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.offset import STEREO, TARGET

HALF = (12, 32)


@pytest.fixture
def source(tmp_path: Path) -> KittiRaw:
    return KittiRaw(write_kitti(tmp_path / "kitti"))


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_module, "FRAMES_PER_CHUNK", 2)


def test_the_cache_holds_what_would_be_decoded(source: KittiRaw, tmp_path: Path) -> None:
    assert fill_cache(source, tmp_path / "c", HALF) == Filled(written=8, kept=0)
    cache = SampleCache(source, tmp_path / "c", HALF)
    assert len(cache) == 8
    cache = pickle.loads(pickle.dumps(cache))
    for frame in source.frames:
        expected = load_image(source.image_path(frame), HALF, source.size(frame))
        assert torch.equal(cache.image(frame), expected)
    assert cache.image(FrameId("elsewhere", 0)) is None
    with_cache = DepthDataset(source, source.frames, (STEREO,), HALF, cache=cache)[0]
    without = DepthDataset(source, source.frames, (STEREO,), HALF)[0]
    for offset in (TARGET, STEREO):
        assert torch.equal(with_cache.images[offset], without.images[offset])


def test_a_data_set_reads_the_cache_and_not_the_file(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    dataset = DepthDataset(
        source, source.frames, (STEREO,), HALF, cache=SampleCache(source, tmp_path / "c", HALF)
    )
    expected = dataset[0].images[TARGET]
    source.image_path(source.frames[0]).unlink()
    assert torch.equal(dataset[0].images[TARGET], expected)


def hints_of(source: KittiRaw, folder: Path, seed: int = 0) -> Path:
    """Hint files of all left images but the last, at a size of their own."""
    values = np.random.default_rng(seed).uniform(0, 3, (6, 20)).astype(np.float32)
    for index, frame in enumerate([f for f in source.frames if f.camera == 0][:-1]):
        write_disparity(folder / source.hint_path(frame), values + index, {})
    return folder


def test_hints_come_from_the_cache_bit_for_bit(source: KittiRaw, tmp_path: Path) -> None:
    hints = hints_of(source, tmp_path / "h")
    extras = Extras(hints)
    without = DepthDataset(source, source.frames, (STEREO,), HALF, extras=extras)
    expected = [without[item].hint for item in range(len(without))]
    assert sum(hint is not None for hint in expected) == 3
    assert fill_cache(source, tmp_path / "c", HALF, hints=hints) == Filled(written=11, kept=0)
    assert fill_cache(source, tmp_path / "c", HALF, hints=hints) == Filled(written=0, kept=11)
    cache = SampleCache(source, tmp_path / "c", HALF, hints)
    # Where the cache is used, the files need not be.
    for path in hints.rglob("*.png"):
        path.write_bytes(b"")
    with_cache = DepthDataset(source, source.frames, (STEREO,), HALF, extras=extras, cache=cache)
    for item, hint in enumerate(expected):
        if hint is not None:
            assert torch.equal(with_cache[item].hint, hint)


def confidence_of(source: KittiRaw, hints: Path, seed: int = 0) -> Path:
    """Confidence beside the hints of `hints_of`; the first is 0 throughout."""
    random = np.random.default_rng(seed)
    for index, frame in enumerate([f for f in source.frames if f.camera == 0][:-1]):
        levels = random.integers(0, 256, (6, 20)) * (index > 0)
        path = confidence_path(hints, source.hint_path(frame))
        write_confidence(path, levels.astype(np.uint8))
    return hints


def test_confidence_comes_from_the_cache_bit_for_bit(source: KittiRaw, tmp_path: Path) -> None:
    hints = confidence_of(source, hints_of(source, tmp_path / "h"))
    extras = Extras(hints, hint_confidence=True)
    without = DepthDataset(source, source.frames, (STEREO,), HALF, extras=extras)
    expected = [without[item].hint_confidence for item in range(len(without))]
    assert sum(confidence is not None for confidence in expected) == 3
    fill_cache(source, tmp_path / "c", HALF, hints=hints, hint_confidence=True)
    cache = SampleCache(source, tmp_path / "c", HALF, hints, hint_confidence=True)
    with_cache = DepthDataset(source, source.frames, (STEREO,), HALF, extras=extras, cache=cache)
    for item, confidence in enumerate(expected):
        if confidence is not None:
            assert torch.equal(with_cache[item].hint_confidence, confidence)
    stored = cache.hint_confidence(source.frames[2])
    assert stored is not None
    assert stored.dtype == torch.uint8
    # Where the cache is used, the files need not be.
    confidence_path(hints, source.hint_path(source.frames[2])).write_bytes(b"")
    assert torch.equal(with_cache[2].hint_confidence, expected[2])


def test_a_cache_without_confidence_lacks_it_only_where_it_is_wanted(
    source: KittiRaw, tmp_path: Path
) -> None:
    hints, frame = confidence_of(source, hints_of(source, tmp_path / "h")), source.frames[2]
    assert fill_cache(source, tmp_path / "c", HALF, hints=hints) == Filled(written=11, kept=0)
    assert SampleCache(source, tmp_path / "c", HALF, hints).hint(frame) is not None
    lacking = SampleCache(source, tmp_path / "c", HALF, hints, hint_confidence=True)
    assert lacking.hint(frame) is not None
    assert lacking.hint_confidence(frame) is None
    wanted = {"hints": hints, "hint_confidence": True}
    assert fill_cache(source, tmp_path / "c", HALF, **wanted) == Filled(written=3, kept=11)
    assert fill_cache(source, tmp_path / "c", HALF, hints=hints) == Filled(written=0, kept=11)
    # Another confidence beside the same hints makes nothing but itself stale.
    confidence_of(source, hints, seed=1)
    stale = SampleCache(source, tmp_path / "c", HALF, **wanted)
    assert stale.hint_confidence(frame) is None
    assert stale.hint(frame) is not None
    assert fill_cache(source, tmp_path / "c", HALF, **wanted).kept == 11
    assert len(list((tmp_path / "c").rglob("confidence_*.npy"))) == 2


def test_changed_hints_are_stale_and_those_of_other_folders_stay(
    source: KittiRaw, tmp_path: Path
) -> None:
    one, two = hints_of(source, tmp_path / "h1"), hints_of(source, tmp_path / "h2", seed=2)
    for folder in (one, two):
        fill_cache(source, tmp_path / "c", HALF, hints=folder)
    frame = source.frames[0]
    first, second = (SampleCache(source, tmp_path / "c", HALF, f).hint(frame) for f in (one, two))
    assert not torch.equal(first, second)
    assert SampleCache(source, tmp_path / "c", HALF).hint(frame) is None
    hints_of(source, one, seed=3)
    assert SampleCache(source, tmp_path / "c", HALF, one).hint(frame) is None
    assert torch.equal(SampleCache(source, tmp_path / "c", HALF, two).hint(frame), second)


def test_metres_of_another_calibration_are_stale(source: KittiRaw, tmp_path: Path) -> None:
    hints, root, frame = hints_of(source, tmp_path / "h"), source.root, source.frames[0]
    fill_cache(source, tmp_path / "c", HALF, hints=hints)
    write_calibration(root / DATE, focal=2 * FOCAL)
    other = KittiRaw(root)
    assert SampleCache(source, tmp_path / "c", HALF, hints).hint(frame) is not None
    stale = SampleCache(other, tmp_path / "c", HALF, hints)
    assert stale.hint(frame) is None
    # Pixels are the same under any calibration.
    assert len(stale) == 8
    assert fill_cache(other, tmp_path / "c", HALF, hints=hints) == Filled(written=3, kept=8)
    cached = SampleCache(other, tmp_path / "c", HALF, hints).hint(frame)
    assert torch.equal(cached, load_hint(other, hints, frame, HALF))


def test_a_chunk_that_is_gone_in_mid_run_is_decoded_instead(
    source: KittiRaw, tmp_path: Path
) -> None:
    hints = hints_of(source, tmp_path / "h")
    fill_cache(source, tmp_path / "c", HALF, hints=hints)
    cache = SampleCache(source, tmp_path / "c", HALF, hints)
    extras = Extras(hints)
    without = DepthDataset(source, source.frames, (), HALF, extras=extras)[0]
    shutil.rmtree(tmp_path / "c")
    frame = source.frames[0]
    assert cache.image(frame) is None
    assert cache.hint(frame) is None
    read = DepthDataset(source, source.frames, (), HALF, extras=extras, cache=cache)[0]
    assert read.id == str(frame)
    assert torch.equal(read.images[TARGET], without.images[TARGET])
    assert torch.equal(read.hint, without.hint)


def test_a_stale_chunk_that_may_not_be_removed_hinders_nobody(
    source: KittiRaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    os.utime(source.image_path(source.frames[0]), ns=(1, 1))

    def in_use(path: Path, missing_ok: bool = False) -> None:
        if path.suffix == ".npy" and not path.name.startswith("."):
            raise PermissionError(13, "in use by another process", str(path))

    monkeypatch.setattr(Path, "unlink", in_use)
    assert fill_cache(source, tmp_path / "c", HALF).written == 2
    assert len(SampleCache(source, tmp_path / "c", HALF)) == 8


def test_a_second_run_keeps_and_a_stopped_one_goes_on(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    assert fill_cache(source, tmp_path / "c", HALF) == Filled(written=0, kept=8)
    files = sorted((tmp_path / "c").rglob("*.npy"))
    assert len(files) == 4
    files[0].unlink()
    assert fill_cache(source, tmp_path / "c", HALF) == Filled(written=2, kept=6)


def test_a_changed_image_is_stale_and_replaced(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    frame = FrameId(SEQUENCE, 0, 0)
    write_image(source.image_path(frame), seed=999)
    cache = SampleCache(source, tmp_path / "c", HALF)
    assert cache.image(frame) is None
    assert len(cache) == 6
    assert fill_cache(source, tmp_path / "c", HALF) == Filled(written=2, kept=6)
    expected = load_image(source.image_path(frame), HALF, source.size(frame))
    assert torch.equal(SampleCache(source, tmp_path / "c", HALF).image(frame), expected)
    assert len(list((tmp_path / "c").rglob("*.npy"))) == 4


def test_a_touched_image_is_stale(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    os.utime(source.image_path(source.frames[0]), ns=(1, 1))
    assert len(SampleCache(source, tmp_path / "c", HALF)) == 6


def test_other_sizes_live_side_by_side(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    assert len(SampleCache(source, tmp_path / "c", (6, 16))) == 0
    fill_cache(source, tmp_path / "c", (6, 16))
    assert len(SampleCache(source, tmp_path / "c", HALF)) == 8


def test_another_way_of_resizing_makes_it_stale(
    source: KittiRaw, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    monkeypatch.setattr(cache_module, "RESIZING", "other")
    assert len(SampleCache(source, tmp_path / "c", HALF)) == 0


def test_several_workers_write_the_same(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "one", HALF)
    fill_cache(source, tmp_path / "two", HALF, workers=2)
    names = [sorted(p.name for p in (tmp_path / w).rglob("*.npy")) for w in ("one", "two")]
    assert names[0] == names[1]
    for path in (tmp_path / "one").rglob("*.npy"):
        assert (
            path.read_bytes()
            == (tmp_path / "two" / path.relative_to(tmp_path / "one")).read_bytes()
        )


def test_what_a_killed_run_left_is_removed(source: KittiRaw, tmp_path: Path) -> None:
    fill_cache(source, tmp_path / "c", HALF)
    before = sorted((tmp_path / "c").rglob("*"))
    leave_half_a_file(next(path for path in before if path.suffix == ".npy"))
    assert fill_cache(source, tmp_path / "c", HALF).written == 0
    assert sorted((tmp_path / "c").rglob("*")) == before


def test_damaged_images_are_left_out(tmp_path: Path) -> None:
    root = write_drive(tmp_path / "kitti").parents[1]
    cut_short(root / SEQUENCE / "image_02/data/0000000001.png")
    source = KittiRaw(root)
    assert fill_cache(source, tmp_path / "c", HALF).written == 7
    broken = root / SEQUENCE / "image_03/data/0000000001.png"
    data = bytearray(broken.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    broken.write_bytes(data)
    # One that is damaged in its middle is not looked into before it is decoded.
    source = KittiRaw(root)
    fill_cache(source, tmp_path / "c", HALF)
    cache = SampleCache(source, tmp_path / "c", HALF)
    absent = [frame for frame in source.frames if cache.image(frame) is None]
    assert absent == [FrameId(SEQUENCE, 1, 0), FrameId(SEQUENCE, 1, 1)]
    assert fill_cache(source, tmp_path / "c", HALF).written == 0


def test_too_little_space_is_said_before_anything_is_written(
    source: KittiRaw, tmp_path: Path
) -> None:
    with pytest.raises(OSError, match=r"the cache needs .* GB and .* GB are free"):
        fill_cache(source, tmp_path / "c", (10**7, 10**7))
    assert not list((tmp_path / "c").rglob("*.npy"))
