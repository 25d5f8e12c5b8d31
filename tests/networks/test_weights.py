"""Where weights come from: nowhere, a folder, the hub; and what is said when they do not."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from transformers import ConvNextV2ForImageClassification, ResNetForImageClassification

from leadline.networks import hub
from leadline.networks.architectures import PRESETS
from leadline.networks.backbone import Backbone


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No connection and an empty cache; gives the folder of the cache."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def equal_maps(a: Backbone, b: Backbone) -> bool:
    image = torch.rand(1, 3, 64, 64)
    a.eval(), b.eval()
    return all(torch.equal(x, y) for x, y in zip(a(image), b(image), strict=True))


@pytest.mark.usefixtures("offline")
def test_a_saved_backbone_comes_back(tiny_backbone: str, tmp_path: Path) -> None:
    original = Backbone(tiny_backbone, weights="none")
    folder = tmp_path / "saved"
    original.pyramid.network.save_pretrained(folder)
    loaded = Backbone(str(folder), weights=folder)
    if "reassemble.0.0.weight" in dict(original.pyramid.named_parameters()):
        loaded.pyramid.reassemble.load_state_dict(original.pyramid.reassemble.state_dict())
    assert equal_maps(original, loaded)
    assert not equal_maps(original, Backbone(tiny_backbone, weights="none"))


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("family", "classifier_class"),
    [("resnet", ResNetForImageClassification), ("convnextv2", ConvNextV2ForImageClassification)],
)
def test_a_classifier_gives_its_backbone(
    family: str, classifier_class: type, tiny: Callable[[str], str], tmp_path: Path
) -> None:
    """What hubs hold are classifiers, some of them in half precision."""
    network = Backbone(tiny(family), weights="none").pyramid.network
    classifier = classifier_class(network.config)
    classifier.half().save_pretrained(tmp_path)
    loaded = Backbone(tiny(family), weights=tmp_path)
    ours = dict(loaded.pyramid.network.named_parameters())
    theirs = {k.partition(".")[2]: v for k, v in classifier.named_parameters()}
    shared = ours.keys() & theirs.keys()
    assert len(shared) > len(ours) // 2
    for key in shared:
        torch.testing.assert_close(ours[key], theirs[key].float(), rtol=0, atol=0)
    assert all(module.training for module in loaded.modules())


@pytest.mark.usefixtures("offline")
def test_weights_are_tiled_over_images_and_divided(
    tiny: Callable[[str], str], tmp_path: Path
) -> None:
    for family in ("resnet", "convnextv2"):
        one = Backbone(tiny(family), weights="none")
        one.pyramid.network.save_pretrained(tmp_path / family)
        three = Backbone(tiny(family), weights=tmp_path / family, in_images=3)
        image = torch.rand(1, 3, 64, 64)
        one.eval(), three.eval()
        for x, y in zip(one(image), three(image.repeat(1, 3, 1, 1)), strict=True):
            torch.testing.assert_close(x, y, atol=1e-5, rtol=1e-4)
    random = Backbone(tiny("resnet"), weights="none", in_images=2)
    first = random.pyramid.network.embedder.embedder.convolution.weight
    assert not torch.allclose(first[:, :3], first[:, 3:])


@pytest.mark.parametrize("name", [n for n, preset in PRESETS.items() if preset.hub_id])
def test_hub_without_connection_names_the_ways_out(name: str, offline: Path) -> None:
    with pytest.raises(FileNotFoundError) as raised:
        Backbone(name, weights="hub")
    message = str(raised.value)
    assert PRESETS[name].hub_id in message
    assert "folder" in message
    assert "none" in message
    assert "\n" not in message
    assert not offline.exists()


def cached(folder: Path) -> Path:
    """The snapshot folder of someone/tiny in the cache of the hub at `folder`."""
    model = folder / "models--someone--tiny"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc")
    (model / "snapshots" / "abc").mkdir(parents=True)
    return model / "snapshots" / "abc"


def test_the_cache_of_the_hub_is_enough_and_asked_first(
    offline: Path, tiny: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Backbone(tiny("resnet"), weights="none")
    original.pyramid.network.save_pretrained(cached(offline))
    local = partial(hub.snapshot_download, local_files_only=True)

    def no_connection(hub_id: str, allow_patterns: list[str], local_files_only: bool) -> str:
        assert local_files_only
        return str(local(hub_id, allow_patterns=allow_patterns))

    monkeypatch.setattr(hub, "snapshot_download", no_connection)
    assert equal_maps(original, Backbone("someone/tiny", weights="hub"))
    assert Backbone("someone/tiny", weights="none").channels == original.channels


def test_half_a_download_is_no_model(offline: Path, tiny: Callable[[str], str]) -> None:
    (cached(offline) / "config.json").write_text((Path(tiny("resnet")) / "config.json").read_text())
    with pytest.raises(FileNotFoundError, match="someone/tiny is not cached and could not be"):
        Backbone("someone/tiny", weights="hub")


def test_without_weights_the_cached_configuration_is_enough(
    offline: Path, tiny: Callable[[str], str]
) -> None:
    (cached(offline) / "config.json").write_text((Path(tiny("resnet")) / "config.json").read_text())
    expected = Backbone(tiny("resnet"), weights="none").channels
    assert Backbone("someone/tiny", weights="none").channels == expected


@pytest.mark.usefixtures("offline")
def test_a_hub_id_without_weights_stays_offline() -> None:
    with pytest.raises(FileNotFoundError, match="neither a local folder nor in the hub's cache"):
        Backbone("someone/else", weights="none")


def test_weights_of_another_network_are_refused(tiny: Callable[[str], str], tmp_path: Path) -> None:
    Backbone(tiny("resnet"), weights="none").pyramid.network.save_pretrained(tmp_path / "narrow")
    with pytest.raises(ValueError, match="other shapes than those of resnet18"):
        Backbone("resnet18", weights=tmp_path / "narrow")
    with pytest.raises(ValueError, match=r"lacks \d+ tensors"):
        Backbone(tiny("convnextv2"), weights=tmp_path / "narrow")


def test_folders_that_hold_nothing_useful(tiny: Callable[[str], str], tmp_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r"a folder with model\.safetensors, got 'imagenet'"
    ):
        Backbone("resnet18", weights=Path("imagenet"))
    with pytest.raises(ValueError, match=r"expected a config\.json in the folder"):
        Backbone(str(tmp_path), weights="none")
    with pytest.raises(ValueError, match="needs a preset or a hub id"):
        Backbone(tiny("resnet"), weights="hub")
    (tmp_path / "model.safetensors").write_bytes(b"cut off")
    with pytest.raises(ValueError, match="is damaged"):
        Backbone(tiny("resnet"), weights=tmp_path)
