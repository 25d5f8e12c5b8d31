"""Colours of another exposure: the published formula, the published ranges, one draw a sample."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from data.test_augment import random_sample
from hypothesis import given
from hypothesis import strategies as st
from worlds import write_stereo_folder

from leadline.data.augment import Augmentation, apply_jitter, augment
from leadline.data.collate import collate
from leadline.data.colour_jitter import jitter_colours
from leadline.data.gamma_jitter import GammaJitter, jitter_gamma
from leadline.data.module import DepthData
from leadline.data.sources.folder import ImageFolder
from leadline.offset import TARGET
from leadline.training.changes import changes
from leadline.training.recipe import as_yaml, build, read_recipe

factor = st.floats(0.3, 2.5)
SOURCE = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "photos"}}


@given(seed=st.integers(0, 1000), factors=st.tuples(*[factor] * 5))
def test_colours_change_as_published(seed: int, factors: tuple[float, ...]) -> None:
    """Against the formula, value by value in double precision."""
    images = torch.rand(2, 3, 4, 5, generator=torch.Generator().manual_seed(seed))
    images[0, :, 0] = torch.tensor([0.0, 0.5, 1.0])[:, None]
    changed = jitter_gamma(images, torch.tensor([[1.0] * 5, factors]))
    assert torch.equal(changed[0], images[0])
    gamma, brightness, *colour = (float(np.float32(value)) for value in factors)
    for c, y, x in np.ndindex(3, 4, 5):
        value = float(images[1, c, y, x]) ** gamma * brightness * colour[c]
        assert float(changed[1, c, y, x]) == pytest.approx(min(value, 1), abs=1e-5)


def test_half_of_the_samples_change_within_the_ranges() -> None:
    sample = random_sample(0)
    ranges = GammaJitter(brightness=(0.75, 1.25), colour=(0.9, 1.1))
    settings = Augmentation("none", jitter="gamma", gamma_jitter=ranges)
    made = [augment(sample, settings, np.random.default_rng(i)) for i in range(400)]
    assert all(item.jitter is None for item in made)
    found = torch.stack([item.gamma for item in made if item.gamma is not None])
    assert 160 < len(found) < 240
    limits = [(0.8, 1.2), (0.75, 1.25), *[(0.9, 1.1)] * 3]
    for column, (low, high) in enumerate(limits):
        values = found[:, column]
        assert low <= values.min() < low + 0.05 * (high - low)
        assert high - 0.05 * (high - low) < values.max() <= high
        assert values.mean() == pytest.approx((low + high) / 2, abs=0.1 * (high - low))
    # Each number is drawn for itself.
    correlation = np.corrcoef(found.numpy().T) - np.eye(5)
    assert np.abs(correlation).max() < 0.25
    # The coin is that of the other form, so that both change the same samples.
    plain = [augment(sample, Augmentation("none"), np.random.default_rng(i)) for i in range(400)]
    assert [s.gamma is None for s in made] == [s.jitter is None for s in plain]


def test_all_frames_of_a_sample_share_one_draw_and_images_stay_clean() -> None:
    factors = torch.tensor([0.9, 1.4, 0.8, 1.0, 1.2])
    batch = collate([random_sample(0), replace(random_sample(1), gamma=factors)])
    after = apply_jitter(batch)
    for offset, image in batch.images.items():
        assert torch.equal(after.images[offset], image)
        assert torch.equal(after.inputs[offset][0], image[0])
        assert torch.equal(after.inputs[offset][1:], jitter_gamma(image[1:], factors[None]))
        assert not torch.allclose(after.inputs[offset][1], image[1])


def test_the_other_form_changes_what_it_did() -> None:
    """`jitter: true` makes no gamma, and its colours come out as they did."""
    factors = torch.tensor([0.8, 1.1, 1.2, 0.05])
    batch = collate([replace(random_sample(1), jitter=factors)])
    assert batch.gamma is None
    for offset, image in apply_jitter(batch).inputs.items():
        assert torch.equal(image, jitter_colours(batch.images[offset], factors[None]))


@pytest.mark.parametrize("wrong", [(1.2, 0.8), (0.0, 1.0), (-1.0, 1.0), (float("nan"), 1.0)])
@pytest.mark.parametrize("name", ["gamma", "brightness", "colour"])
def test_what_is_no_range_is_refused(name: str, wrong: tuple[float, float]) -> None:
    with pytest.raises(ValueError, match=rf"^gamma_jitter\.{name}: expected a range \[least, gr"):
        GammaJitter(**{name: wrong})


def configured(*overrides: str, **data: Any) -> Any:
    return read_recipe("monodepth2_s", {"data": {"source": SOURCE} | data}, overrides)


def test_recipes_say_it_and_overrides_change_a_part_of_it(tmp_path: Path) -> None:
    root = write_stereo_folder(tmp_path / "world", count=4)
    source = SOURCE | {"init_args": {"root": str(root)}}
    indoors = {"gamma": [0.9, 1.1], "brightness": [0.75, 1.25], "colour": [0.9, 1.1]}
    data = {"source": source, "jitter": "gamma", "gamma_jitter": indoors, "window": [16, 24]}
    network = "--model.predictor.init_args.depth.init_args.weights=none"
    config = configured(network, "--data.gamma_jitter.brightness=[0.9,1.1]", **data)
    built, *_ = build(config)
    assert built.augmentation.jitter == "gamma"
    assert built.augmentation.gamma_jitter == GammaJitter(*[(0.9, 1.1)] * 3)
    assert built.augmentation.window == (16, 24)
    assert configured("--data.jitter=false", **data).data.jitter is False
    assert configured("--data.window=null", **data).data.window is None
    with pytest.raises(ValueError, match=r'data\.gamma_jitter\.gamma": Expected a tuple with 2'):
        configured("--data.gamma_jitter.gamma=[0.9]", **data)
    # Written down and read again it is the same.
    text = as_yaml(config)
    assert changes(text, text) == []


def test_a_run_of_before_had_the_jitter_that_it_has_now() -> None:
    begun = configured()
    assert begun.data.jitter is True
    old = "\n".join(
        line
        for line in as_yaml(begun).splitlines()
        if not line.startswith(("  rotation:", "  window:"))
    )
    head, tail = old.split("  gamma_jitter:\n")
    rest = tail[tail.index("  zoom:") :]
    assert changes(head + rest, as_yaml(begun)) == []
    (other,) = changes(head + rest, as_yaml(configured("--data.jitter=gamma")))
    assert str(other) == "data.jitter was True, now gamma"


def test_batches_have_other_colours_in_training_only(tmp_path: Path) -> None:
    root = write_stereo_folder(tmp_path / "world", count=10)
    settings: dict[str, Any] = {"height": 32, "width": 48, "batch_size": 8, "workers": 0}
    data = DepthData(ImageFolder(root), jitter="gamma", val_share=0.2, **settings)
    data.setup()
    batch = next(iter(data.train_dataloader()))
    after = data.on_after_batch_transfer(batch, 0)
    changed = (after.inputs[TARGET] != after.images[TARGET]).flatten(1).any(1)
    assert torch.equal(changed, (batch.gamma != 1).any(1))
    assert 0 < changed.sum() < 8
    assert after.inputs[TARGET].min() >= 0
    assert after.inputs[TARGET].max() <= 1
    val = data.on_after_batch_transfer(next(iter(data.val_dataloader())), 0)
    assert val.inputs is val.images
