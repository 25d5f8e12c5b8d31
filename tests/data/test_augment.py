import colorsys
from dataclasses import replace

import kornia
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from leadline.data.augment import (
    FACTOR_RANGE,
    HUE_RANGE,
    Augmentation,
    apply_jitter,
    augment,
    flipped,
    swap_and_mirror,
)
from leadline.data.collate import collate
from leadline.data.colour_jitter import jitter_by_formula, jitter_colours
from leadline.geometry.pose import pose_from_rotvec, stereo_pose
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET, Offset
from leadline.types import Sample

BEFORE = Offset(-1)


def random_sample(seed: int, size: tuple[int, int] = (10, 14), video: bool = True) -> Sample:
    random = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=random)

    offsets = (TARGET, STEREO, BEFORE) if video else (TARGET, STEREO)
    motion = pose_from_rotvec(0.1 * rand(1, 3), 0.3 * rand(1, 3))[0]
    intrinsics = {
        offset: torch.tensor([[9 + i, 0, 5.3 + i], [0, 9.5, 4.1], [0, 0, 1.0]])
        for i, offset in enumerate(offsets)
    }
    maps = {
        "hint": 2 + rand(1, *size),
        "hint_confidence": rand(1, *size),
        "depth": 2 + rand(1, *size),
        "loss_mask": rand(1, *size) > 0.5,
    }
    return Sample(
        id="x",
        images={offset: (255 * rand(3, *size)).byte() for offset in offsets},
        intrinsics=intrinsics,
        known_poses={STEREO: stereo_pose(0.4)} | ({BEFORE: motion} if video else {}),
        distance={BEFORE: 0.3},
        **(maps if video else {}),
    )


def assert_equal(first: Sample, second: Sample) -> None:
    for name in ("images", "intrinsics", "known_poses"):
        one, other = getattr(first, name), getattr(second, name)
        assert one.keys() == other.keys()
        for offset in one:
            torch.testing.assert_close(one[offset], other[offset])
    for name in ("hint", "hint_confidence", "depth", "loss_mask"):
        if getattr(first, name) is not None:
            assert torch.equal(getattr(first, name), getattr(second, name))


@given(seed=st.integers(0, 1000))
def test_flipping_twice_is_nothing(seed: int) -> None:
    sample = random_sample(seed)
    assert_equal(flipped(flipped(sample)), sample)
    assert not torch.equal(flipped(sample).images[TARGET], sample.images[TARGET])


@given(seed=st.integers(0, 1000))
def test_confidence_is_mirrored_with_its_hint(seed: int) -> None:
    sample = random_sample(seed)
    assert torch.equal(flipped(sample).hint_confidence, sample.hint_confidence.flip(-1))
    assert torch.equal(flipped(sample).hint, sample.hint.flip(-1))


def warp(sample: Sample, offset: Offset) -> tuple[Tensor, Tensor]:
    view = warp_by_depth(
        sample.images[offset][None].double(),
        sample.depth[None].double(),
        sample.known_poses[offset][None],
        sample.intrinsics[TARGET][None],
        sample.intrinsics[offset][None],
    )
    return view.image, view.in_view


@given(seed=st.integers(0, 1000), offset=st.sampled_from([STEREO, BEFORE]))
def test_flip_then_warp_is_warp_then_flip(seed: int, offset: Offset) -> None:
    sample = random_sample(seed)
    image, in_view = warp(sample, offset)
    flipped_image, flipped_in_view = warp(flipped(sample), offset)
    torch.testing.assert_close(flipped_image, image.flip(-1), atol=2e-3, rtol=0)
    # A point within rounding of the image's border may fall to either side.
    assert (flipped_in_view != in_view.flip(-1)).sum() <= 1


def test_a_flip_mirrors_the_side_of_the_partner() -> None:
    sample = random_sample(0)
    assert sample.known_poses[STEREO][0, 3] == pytest.approx(-0.4)
    assert flipped(sample).known_poses[STEREO][0, 3] == pytest.approx(0.4)
    assert flipped(sample).intrinsics[TARGET][0, 2] == pytest.approx(14 - 1 - 5.3)
    assert flipped(sample).distance == sample.distance


def test_swapped_and_mirrored_the_left_stays_left() -> None:
    sample = random_sample(1, video=False)
    swapped = swap_and_mirror(sample)
    assert torch.equal(swapped.images[TARGET], sample.images[STEREO].flip(-1))
    assert torch.equal(swapped.images[STEREO], sample.images[TARGET].flip(-1))
    torch.testing.assert_close(swapped.known_poses[STEREO], sample.known_poses[STEREO])
    assert swapped.intrinsics[TARGET][0, 0] == sample.intrinsics[STEREO][0, 0]
    assert_equal(swap_and_mirror(swapped), sample)


def test_what_belongs_to_one_camera_cannot_be_swapped() -> None:
    with pytest.raises(ValueError, match=r"x: flip 'swap' expects .* got frames \+0, stereo, -1"):
        swap_and_mirror(random_sample(0))
    pair = random_sample(0, video=False)
    with pytest.raises(ValueError, match="use flip 'mirror'"):
        swap_and_mirror(replace(pair, hint=torch.ones(1, 10, 14)))


def test_half_are_flipped_and_half_have_other_colours() -> None:
    sample = random_sample(0)
    made = [augment(sample, Augmentation(), np.random.default_rng(i)) for i in range(400)]
    flips = [not torch.equal(item.images[TARGET], sample.images[TARGET]) for item in made]
    jitters = torch.stack([item.jitter for item in made if item.jitter is not None])
    assert 160 < sum(flips) < 240
    assert 160 < len(jitters) < 240
    assert len({item.seed for item in made}) == 400
    for column, (low, high) in enumerate([FACTOR_RANGE] * 3 + [HUE_RANGE]):
        assert low <= jitters[:, column].min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < jitters[:, column].max() <= high
    both = sum(flip and item.jitter is not None for flip, item in zip(flips, made, strict=True))
    assert 70 < both < 130


def test_switching_the_flip_leaves_colours_and_seed_alone() -> None:
    sample = random_sample(0, video=False)
    for i in range(20):
        made = [
            augment(sample, Augmentation(flip, jitter=True), np.random.default_rng(i))
            for flip in ("none", "mirror", "swap")
        ]
        assert len({item.seed for item in made}) == 1
        assert len({None if m.jitter is None else tuple(m.jitter.tolist()) for m in made}) == 1
        off = augment(sample, Augmentation("none", jitter=False), np.random.default_rng(i))
        assert off.jitter is None
        assert_equal(off, sample)


@given(
    seed=st.integers(0, 1000),
    factors=st.tuples(*[st.floats(0.8, 1.2)] * 3, st.floats(-0.5, 0.5)),
)
def test_colours_change_as_in_kornia(seed: int, factors: tuple[float, ...]) -> None:
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    brightness, contrast, saturation, hue = factors
    changed = jitter_colours(images, torch.tensor([factors] * 2))
    expected = kornia.enhance.adjust_brightness_accumulative(images, brightness)
    expected = kornia.enhance.adjust_contrast_with_mean_subtraction(expected, contrast)
    expected = kornia.enhance.adjust_saturation_with_gray_subtraction(expected, saturation)
    expected = kornia.enhance.adjust_hue(expected, hue * 2 * np.pi)
    torch.testing.assert_close(changed, expected, atol=1e-4, rtol=0)


@given(colour=st.tuples(*[st.integers(0, 255)] * 3), turns=st.floats(-0.5, 0.5))
def test_hue_turns_as_in_colorsys(colour: tuple[int, int, int], turns: float) -> None:
    rgb = [value / 255 for value in colour]
    hue, saturation, value = colorsys.rgb_to_hsv(*rgb)
    expected = colorsys.hsv_to_rgb((hue + turns) % 1, saturation, value)
    image = torch.tensor(rgb)[None, :, None, None]
    changed = jitter_colours(image, torch.tensor([[1.0, 1.0, 1.0, turns]]))
    assert changed.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_all_frames_of_an_item_share_one_draw_and_images_stay_clean() -> None:
    plain, changed = random_sample(0), random_sample(1)
    factors = torch.tensor([0.8, 1.1, 1.2, 0.05])
    batch = collate([plain, replace(changed, jitter=factors)])
    after = apply_jitter(batch)
    for offset in batch.images:
        assert torch.equal(after.images[offset], batch.images[offset])
        assert torch.equal(after.inputs[offset][0], batch.images[offset][0])
        expected = jitter_colours(batch.images[offset][1:], factors[None])
        torch.testing.assert_close(after.inputs[offset][1:], expected)
        assert not torch.allclose(after.inputs[offset][1], batch.images[offset][1])


def test_without_jitter_inputs_are_the_images() -> None:
    batch = apply_jitter(collate([random_sample(0)]))
    assert batch.inputs is batch.images


@given(st.integers(0, 2**31))
def test_the_compiled_jitter_gives_the_numbers_of_the_formulas(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    images = torch.rand(3, 3, 7, 9, generator=generator)
    images[0, :, :2] = images[0, :1, :2]  # grey: no hue
    factors = torch.rand(3, 4, generator=generator) * 0.4 + 0.8
    factors[:, 3] -= 1
    factors[2] = torch.tensor([1.0, 1.0, 1.0, 0.0])
    expected = jitter_by_formula(images, factors)
    torch.testing.assert_close(jitter_colours(images, factors), expected, atol=2e-5, rtol=0)
    assert torch.equal(jitter_colours(images, factors)[2], images[2])
