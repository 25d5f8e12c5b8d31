"""Names of backbones, good and bad."""

from pathlib import Path

import pytest
from transformers import ViTConfig

from leadline.networks.architectures import CONFIGURATION, MAPS, PRESETS, configuration_of
from leadline.networks.backbone import Backbone


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


@pytest.mark.parametrize("in_images", [1, 2])
def test_a_backbone_tells_its_architecture(
    tiny_backbone: str, tmp_path: Path, in_images: int
) -> None:
    original = Backbone(tiny_backbone, weights="none", in_images=in_images)
    path = tmp_path / "told.json"
    path.write_text(original.architecture())
    told, expected = (
        configuration_of(name, online=False).to_dict() | {"_name_or_path": ""}
        for name in (str(path), tiny_backbone)
    )
    assert told == expected
    again = Backbone(str(path), weights="none", in_images=in_images)
    again.load_state_dict(original.state_dict())


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"model_type": "resnot"}', '{"model_type": "resnet", "depths": "deep"}'],
)
def test_a_file_that_describes_nothing_is_named(tmp_path: Path, content: str) -> None:
    path = tmp_path / CONFIGURATION
    path.write_text(content)
    for name in (path, tmp_path):
        with pytest.raises(ValueError, match="expected the configuration of a transfor") as error:
            configuration_of(str(name), online=False)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)
