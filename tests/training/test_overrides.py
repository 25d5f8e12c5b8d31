"""Short wishes of a user become settings that do what was wished."""

from dataclasses import asdict

import pytest
from jsonargparse import Namespace

from leadline.data.augment import Augmentation
from leadline.training.overrides import overfitting
from leadline.training.recipe import read_recipe

SOURCE = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "photos"}}
VARIED = {"flip": "mirror", "jitter": "gamma", "zoom": 1.5, "rotation": 2.5, "window": [8, 16]}


def overfitted(count: int, *recipe: str) -> Namespace:
    """The configuration for so many frames, of a recipe that says `recipe` beside."""
    overrides = [*recipe, *overfitting(count)]
    return read_recipe("monodepth2_s", {"data": {"source": SOURCE}}, overrides)


def test_a_few_frames_are_one_step_on_one_device_however_many_there_are() -> None:
    config = overfitted(3, "--run.accumulate=4")
    assert config.run.devices == config.run.accumulate == 1
    assert config.data.batch_size == config.data.limit == 3


def test_a_few_frames_are_learned_as_they_are() -> None:
    """The settings of an augmentation are all of these, or one of them is not known here."""
    # The ranges of a jitter switch nothing on.
    assert asdict(Augmentation()).keys() - {"gamma_jitter"} == VARIED.keys()
    config = overfitted(3, *(f"--data.{name}={value}" for name, value in VARIED.items()))
    shown = Augmentation(**{name: config.data[name] for name in VARIED})
    assert shown == Augmentation(flip="none", jitter=False)


def test_no_frame_cannot_be_learned() -> None:
    assert overfitting(None) == []
    with pytest.raises(ValueError, match="expected 1 frame or more, got 0"):
        overfitting(0)
