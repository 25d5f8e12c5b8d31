"""Extractors: where their pixels lie, that the frozen ones stay frozen, that trained ones load."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

from leadline.networks.features import (
    FeatureAutoencoder,
    FeatureExtractor,
    FrozenAutoencoder,
    FrozenBackbone,
)
from leadline.networks.trained_part import CONFIG, WEIGHTS

FAMILIES = ["resnet", "swinv2", "dinov2"]


def trained(folder: Path, backbone: str) -> FeatureAutoencoder:
    """An autoencoder as a predictor's `extractor`, its batch norms not at their start."""
    network = FeatureAutoencoder(backbone, "none")
    network(torch.rand(4, 3, 64, 64))
    folder.mkdir()
    save_file(
        {f"extractor.{name}": value.contiguous() for name, value in network.state_dict().items()},
        folder / WEIGHTS,
    )
    write_config(folder, "leadline.networks.features.FeatureAutoencoder")
    return network.eval()


def write_config(folder: Path, kind: str) -> None:
    extractor = {"extractor": {"class_path": kind}}
    (folder / CONFIG).write_text(yaml.safe_dump({"predictor": {"init_args": extractor}}))


def test_autoencoder_paints_at_four_scales_from_the_coarsest_map_alone() -> None:
    network = FeatureAutoencoder("resnet50", "none").eval()
    image = torch.rand(1, 3, 96, 160)
    raw = network(image)
    assert [maps.shape[1] for maps in raw.pyramid.values()] == [64, 256, 512, 1024, 2048]
    assert [tuple(maps.shape[2:]) for maps in raw.pyramid.values()] == [
        (96 // 2**i, 160 // 2**i) for i in range(1, 6)
    ]
    for scale, picture in raw.reconstruction.items():
        assert picture.shape == (1, 3, 96 // 2**scale, 160 // 2**scale)
        assert ((picture > 0) & (picture < 1)).all()
    widths = [block[0].in_channels for block in network.decoder.blocks]
    assert widths == [2048, 256, 256, 128, 128, 64, 64, 32, 32, 16]


def test_autoencoder_sees_colours_as_they_are() -> None:
    network = FeatureAutoencoder("resnet18", "none")
    assert network.backbone.mean.abs().max() == 0
    assert network.backbone.std.eq(1).all()


def test_compared_features_are_the_finest_map_without_gradient() -> None:
    network = FeatureAutoencoder("resnet18", "none").eval()
    image = torch.rand(2, 3, 64, 96)
    features = network.extract(image)
    assert not features.requires_grad
    torch.testing.assert_close(features, network(image).pyramid[2].detach())


def test_a_trained_autoencoder_is_loaded_and_only_what_is_compared_is_kept(tmp_path: Path) -> None:
    network = trained(tmp_path / "model", "resnet18")
    frozen = FrozenAutoencoder("resnet18", tmp_path / "model")
    image = torch.rand(1, 3, 64, 96)
    torch.testing.assert_close(frozen.extract(image), network.extract(image))
    kept = sum(p.numel() for p in frozen.parameters())
    assert kept == 64 * 3 * 7 * 7 + 2 * 64


@pytest.mark.parametrize("make", ["autoencoder", "backbone"])
def test_what_is_frozen_stays_so_whatever_holds_it_does(make: str) -> None:
    extractor: FeatureExtractor = (
        FrozenAutoencoder("resnet18", "none")
        if make == "autoencoder"
        else FrozenBackbone("resnet18", "none", level=1)
    )
    parent = nn.Sequential(extractor, nn.BatchNorm2d(3)).train()
    assert parent[1].training
    before = {name: value.clone() for name, value in extractor.state_dict().items()}
    features = extractor.extract(torch.rand(2, 3, 64, 64))
    assert not features.requires_grad
    assert not any(p.requires_grad for p in extractor.parameters())
    assert not any(module.training for module in extractor.modules())
    for name, value in extractor.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("family", FAMILIES)
def test_features_of_a_moved_picture_are_moved_by_the_stride(
    family: str, tiny: Callable[[str], str]
) -> None:
    """Where attention is global only the size and the place of the grid are told."""
    extractor = FrozenBackbone(tiny(family), "none", level=0)
    stride = extractor.grid.stride
    image = torch.rand(1, 3, 96, 160)
    features = extractor.extract(image)
    assert features.shape[2:] == (-(-96 // stride), -(-160 // stride))
    if family == "resnet":
        moved = extractor.extract(image.roll(stride, dims=3))
        torch.testing.assert_close(moved[..., 8:-8], features.roll(1, 3)[..., 8:-8])


@pytest.mark.parametrize(("family", "centre"), [("resnet", 0.0), ("swinv2", 1.5), ("dinov2", 7.5)])
def test_the_centre_of_a_map_is_where_it_looks(
    family: str, centre: float, tiny: Callable[[str], str]
) -> None:
    """The columns of the image that move a pixel of the map most lie about its centre."""
    extractor = FrozenBackbone(tiny(family), "none", level=0)
    assert extractor.grid.centre == centre
    image = torch.full((1, 3, 64, 64), 0.5)
    plain = extractor.extract(image)
    column = plain.shape[-1] // 2
    touched = []
    for u in range(64):
        spotted = image.clone()
        spotted[..., u] = 1.0
        change = (extractor.extract(spotted) - plain).abs().sum((0, 1, 2))
        # A convolution moves its neighbours as well, attention everything a little.
        looks = change[column] > 0 if family == "resnet" else change.argmax() == column
        touched += [u] if looks else []
    assert (touched[0] + touched[-1]) / 2 == extractor.grid.stride * column + centre


def test_an_untrained_extractor_is_never_taken_silently() -> None:
    with pytest.raises(ValueError, match="--extractor RUN/model"):
        FrozenAutoencoder("resnet18")


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"expected a model folder with config\.yaml"):
        FrozenAutoencoder("resnet18", tmp_path)
    write_config(tmp_path, "leadline.networks.features.FrozenBackbone")
    with pytest.raises(ValueError, match=r"expected an extractor that is .* got FrozenBackbone"):
        FrozenAutoencoder("resnet18", tmp_path)
    write_config(tmp_path, "leadline.networks.features.FrozenAutoencoder")
    with pytest.raises(FileNotFoundError, match="expected the weights of a model folder"):
        FrozenAutoencoder("resnet18", tmp_path)
    (tmp_path / WEIGHTS).write_bytes(b"nonsense")
    with pytest.raises(ValueError, match="damaged"):
        FrozenAutoencoder("resnet18", tmp_path)
    save_file({"depth.backbone.x": torch.ones(1)}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match=r"expected extractor\.backbone\..*got none"):
        FrozenAutoencoder("resnet18", tmp_path)


def test_the_folder_of_a_run_brings_advice(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    write_config(tmp_path / "model", "leadline.networks.features.FeatureAutoencoder")
    with pytest.raises(FileNotFoundError, match=f"did you mean {tmp_path / 'model'}"):
        FrozenAutoencoder("resnet18", tmp_path)


def test_norms_measure_target_and_sources_together_and_once() -> None:
    network = FeatureAutoencoder("resnet18", "none")
    target, sources = torch.rand(2, 3, 64, 64), torch.rand(4, 3, 64, 64)
    raw = network(target, sources)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert {int(norm.num_batches_tracked) for norm in norms} == {1}
    assert raw.compared.shape == (6, 64, 32, 32)
    assert not raw.compared.requires_grad
    assert raw.pyramid[4].shape[0] == 2
    torch.testing.assert_close(raw.compared[:2], raw.pyramid[2].detach())


def test_a_level_that_is_not_there_is_refused(tiny: Callable[[str], str]) -> None:
    with pytest.raises(ValueError, match="expected one of its 5 maps, asked for number 7"):
        FrozenBackbone(tiny("resnet"), "none", level=6)
