from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hints.pairs import METHOD, SHIFT, SIZE, write_pair
from PIL import Image

from leadline.data.confidence_files import LEVEL_STEP, confidence_path, read_confidence
from leadline.data.depth_files import read_disparity, read_settings
from leadline.hints.consistent import KINDS, consistent_hints
from leadline.hints.match import MatcherSetting
from leadline.hints.method import HintMethod
from leadline.hints.pair import Quality, load_pair, make_hints


def test_both_views_are_written_each_with_its_own_blind_border(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    qualities = make_hints(job, METHOD, tmp_path / "hints")
    assert set(qualities) == set(job.hints)
    left, right = (read_disparity(tmp_path / "hints" / view) for view in job.hints)
    for hint in (left, right[:, ::-1]):
        assert hint.shape == SIZE
        assert (hint[:, :16] == 0).all()
        assert np.mean(np.abs(hint[:, 32:] - SHIFT) < 0.5) > 0.9


def test_the_two_views_of_a_symmetric_pair_mirror_each_other(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    for path, other in ((job.left, job.right), (job.right, job.left)):
        mirrored = cv2.imread(str(other))
        assert mirrored is not None
        cv2.imwrite(str(tmp_path / f"mirror_{path.parent.name}.png"), mirrored[:, ::-1])
    mirror = replace(job, left=tmp_path / "mirror_left.png", right=tmp_path / "mirror_right.png")
    make_hints(job, METHOD, tmp_path / "hints")
    make_hints(mirror, METHOD, tmp_path / "mirrored")
    for view, other_view in zip(job.hints, reversed(job.hints), strict=True):
        np.testing.assert_array_equal(
            read_disparity(tmp_path / "hints" / view),
            read_disparity(tmp_path / "mirrored" / other_view)[:, ::-1],
        )


def test_hints_on_which_both_views_agree_have_their_confidence_beside_them(tmp_path: Path) -> None:
    job, method = write_pair(tmp_path, 0), HintMethod(size=SIZE)
    qualities = make_hints(job, method, tmp_path / "hints")
    pictures = load_pair(job.left, job.right, SIZE)
    for view, found in zip(job.hints, consistent_hints(*pictures, method.consistent), strict=True):
        assert found is not None
        assert found.confidence is not None
        hint = read_disparity(tmp_path / "hints" / view)
        np.testing.assert_array_equal(hint * 16, found.disparity)
        assert np.mean(np.abs(hint - SHIFT)[hint > 0] < 0.5) > 0.95
        confidence = read_confidence(confidence_path(tmp_path / "hints", view), SIZE)
        assert np.abs(confidence.astype(int) - found.confidence).max() <= LEVEL_STEP
        assert set(qualities[view].shares) == set(KINDS)
        assert qualities[view].coverage == np.mean(hint > 0) > 0.9


def test_only_the_views_wanted_are_written(tmp_path: Path) -> None:
    job = replace(write_pair(tmp_path, 0), left_hint=None)
    assert set(make_hints(job, METHOD, tmp_path / "hints")) == {job.right_hint}
    assert [path.name for path in (tmp_path / "hints").iterdir()] == ["right"]


def test_quality_says_what_the_file_holds_and_can_be_read_back(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    (view, quality), *_ = make_hints(job, METHOD, tmp_path).items()
    hint, texts = read_disparity(tmp_path / view), read_settings(tmp_path / view)
    assert quality.coverage == np.mean(hint > 0)
    assert 0 < quality.photometric_error < 0.1
    assert quality.beats_identity > 0.95
    assert set(quality.shares) == {"1x16", "3x32"}
    assert sum(quality.shares.values()) == pytest.approx(1)
    assert METHOD.recorded().items() <= texts.items()
    read = Quality.parse(texts)
    assert read.coverage == pytest.approx(quality.coverage, abs=1e-4)
    assert read.photometric_error == pytest.approx(quality.photometric_error, abs=1e-4)
    assert read.beats_identity == pytest.approx(quality.beats_identity, abs=1e-4)
    assert read.shares == pytest.approx(quality.shares, abs=1e-4)


def test_random_uses_the_matcher_it_drew(tmp_path: Path) -> None:
    method = replace(METHOD, mode="random", settings=(MatcherSetting(1, 16), MatcherSetting(3, 64)))
    for number in range(6):
        job = write_pair(tmp_path, number)
        for view, quality in make_hints(job, method, tmp_path).items():
            (setting,) = method.settings_for(str(view))
            assert quality.shares == {str(setting): 1}


def test_images_are_resized_with_lanczos_and_keep_their_colour_order(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (40, 60, 3)).astype(np.uint8)
    for name in ("left.png", "right.png"):
        Image.fromarray(picture).save(tmp_path / name)
    left, right = load_pair(tmp_path / "left.png", tmp_path / "right.png", (20, 24))
    expected = Image.fromarray(picture).resize((24, 20), Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(left, np.asarray(expected))
    np.testing.assert_array_equal(right, left)


def test_unusable_images_are_named(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 7)
    whole = job.right.read_bytes()
    job.right.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"right/007\.png: cannot be read as an image"):
        make_hints(job, METHOD, tmp_path)
    cv2.imwrite(str(job.right), np.zeros((10, 20, 3), np.uint8))
    with pytest.raises(ValueError, match=r"left/007\.png.* 128x32 and 20x10 \(.*right/007\.png"):
        make_hints(job, METHOD, tmp_path)
    Image.fromarray(np.zeros(SIZE, np.float32)).save(job.right.with_suffix(".tiff"))
    job.right.with_suffix(".tiff").rename(job.right)
    with pytest.raises(ValueError, match=r"right/007\.png.*expected 8 or 16 bits a channel"):
        make_hints(job, METHOD, tmp_path)
    job.right.unlink()
    with pytest.raises(FileNotFoundError, match=r"right/007\.png: no such image"):
        make_hints(job, METHOD, tmp_path)


def test_a_pair_without_texture_gives_an_empty_hint(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    for path in (job.left, job.right):
        cv2.imwrite(str(path), np.full((*SIZE, 3), 128, np.uint8))
    qualities = make_hints(job, METHOD, tmp_path)
    for view, quality in qualities.items():
        assert not read_disparity(tmp_path / view).any()
        assert quality.coverage == quality.beats_identity == 0


def test_sixteen_bits_are_read_as_training_reads_them(tmp_path: Path) -> None:
    job = write_pair(tmp_path, 0)
    grey = {p: cv2.imread(str(p), cv2.IMREAD_GRAYSCALE) for p in (job.left, job.right)}
    for path, image in grey.items():
        cv2.imwrite(str(path), image)
    make_hints(job, METHOD, tmp_path / "eight")
    for path, image in grey.items():
        cv2.imwrite(str(path), image.astype(np.uint16) * 256 + 77)
    make_hints(job, METHOD, tmp_path / "sixteen")
    hints = [
        read_disparity(next((tmp_path / bits).rglob("*.png"))) for bits in ("eight", "sixteen")
    ]
    assert hints[0].any()
    assert (hints[0] == hints[1]).all()
