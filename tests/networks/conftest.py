"""Backbones of every family, small enough to be trained in a test: folders with a config.json."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    ConvNextConfig,
    ConvNextV2Config,
    Dinov2Config,
    PretrainedConfig,
    ResNetConfig,
    Swinv2Config,
)

WIDTHS = [8, 16, 24, 32]
ONE_EACH = [1, 1, 1, 1]

TINY: dict[str, Callable[[], PretrainedConfig]] = {
    "resnet": lambda: ResNetConfig(
        embedding_size=8, hidden_sizes=WIDTHS, depths=ONE_EACH, layer_type="basic"
    ),
    "wide": lambda: ResNetConfig(
        embedding_size=16, hidden_sizes=[16, 32, 64, 256], depths=ONE_EACH, layer_type="basic"
    ),
    "bottleneck": lambda: ResNetConfig(embedding_size=8, hidden_sizes=WIDTHS, depths=ONE_EACH),
    "convnext": lambda: ConvNextConfig(hidden_sizes=WIDTHS, depths=ONE_EACH),
    "convnextv2": lambda: ConvNextV2Config(hidden_sizes=WIDTHS, depths=ONE_EACH),
    "swinv2": lambda: Swinv2Config(
        image_size=64, embed_dim=8, depths=[2, 1, 1, 1], num_heads=[1, 2, 2, 4], window_size=4
    ),
    "dinov2": lambda: Dinov2Config(
        hidden_size=32, num_hidden_layers=4, num_attention_heads=2, image_size=56
    ),
}


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], str]:
    """The folder of a family's tiny configuration, to be given as the name of a backbone."""

    def folder_of(family: str) -> str:
        folder: Path = tmp_path_factory.getbasetemp() / f"tiny-{family}"
        TINY[family]().save_pretrained(folder)
        return str(folder)

    return folder_of


@pytest.fixture(params=[family for family in TINY if family != "wide"])
def tiny_backbone(request: pytest.FixtureRequest, tiny: Callable[[str], str]) -> str:
    """Each of the tiny backbones in turn."""
    return tiny(request.param)
