"""Names of backbones, good and bad."""

from pathlib import Path

import pytest
from transformers import ViTConfig

from leadline.networks.architectures import MAPS, PRESETS, configuration_of


@pytest.mark.parametrize("name", PRESETS)
def test_presets_give_out_four_maps_and_nothing_random(name: str) -> None:
    configuration = configuration_of(name, online=False)
    assert len(configuration.out_features) == MAPS
    assert configuration.out_features[-1] == configuration.stage_names[-1]
    assert getattr(configuration, "drop_path_rate", 0.0) == 0.0


@pytest.mark.parametrize("name", ["resnet19", "ResNet18", "resnet-18", "a/b/c", "../nowhere"])
def test_a_wrong_name_lists_the_choices(name: str) -> None:
    with pytest.raises(ValueError, match=r"^backbone: expected one of resnet18, ") as raised:
        configuration_of(name, online=False)
    assert all(preset in str(raised.value) for preset in PRESETS)
    assert "\n" not in str(raised.value)


def test_other_kinds_of_model_are_refused(tmp_path: Path) -> None:
    ViTConfig().save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"expected a model of type convnext, .*got vit"):
        configuration_of(str(tmp_path), online=False)
