"""Short wishes of a user become settings that do what was wished."""

import pytest

from leadline.training.overrides import overfitting
from leadline.training.recipe import read_recipe


def test_a_few_frames_are_one_step_on_one_device_however_many_there_are() -> None:
    given = {"data": {"source": {"class_path": "leadline.data.sources.folder.ImageFolder"}}}
    given["data"]["source"]["init_args"] = {"root": "photographs"}
    config = read_recipe("monodepth2_s", given, overfitting(3))
    assert config.run.devices == 1
    assert config.data.batch_size == config.data.limit == 3


def test_no_frame_cannot_be_learned() -> None:
    assert overfitting(None) == []
    with pytest.raises(ValueError, match="expected 1 frame or more, got 0"):
        overfitting(0)
