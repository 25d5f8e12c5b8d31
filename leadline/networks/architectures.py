"""Which backbones there are: a preset, local files or a hub id -> a transformers configuration.

Presets are written out here, so that a network can be built with no file and no connection at hand.
"""

import re
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from transformers import (
    AutoConfig,
    ConvNextV2Config,
    Dinov2Config,
    PretrainedConfig,
    ResNetConfig,
    Swinv2Config,
)

from leadline.networks.hub import hub_folder

CONFIGURATION = "config.json"
HUB_ID = re.compile(r"[\w-][\w.-]*/[\w.-]+")

RESNETS = frozenset({"resnet"})
PYRAMIDS = frozenset({"convnext", "convnextv2", "swinv2"})
TOKENS = frozenset({"dinov2"})
"""Values of `model_type`, by the way in which their maps become a pyramid."""

MAPS = 4
"""Maps taken from every backbone, at strides 4, 8, 16 and 32; a ResNet adds the one at stride 2."""
RGB = 3
"""Channels of an image."""


@dataclass(frozen=True)
class Preset:
    """A backbone known by name: how it is built, and where its pretrained weights are."""

    hub_id: str | None
    configuration: Callable[[], PretrainedConfig]


PRESETS: Mapping[str, Preset] = {
    "resnet18": Preset(
        "microsoft/resnet-18",
        partial(
            ResNetConfig,
            layer_type="basic",
            depths=[2, 2, 2, 2],
            hidden_sizes=[64, 128, 256, 512],
        ),
    ),
    "resnet34": Preset(
        "microsoft/resnet-34",
        partial(
            ResNetConfig,
            layer_type="basic",
            depths=[3, 4, 6, 3],
            hidden_sizes=[64, 128, 256, 512],
        ),
    ),
    "resnet50": Preset(
        "microsoft/resnet-50",
        partial(
            ResNetConfig,
            layer_type="bottleneck",
            depths=[3, 4, 6, 3],
            hidden_sizes=[256, 512, 1024, 2048],
        ),
    ),
    "resnet101": Preset(
        "microsoft/resnet-101",
        partial(
            ResNetConfig,
            layer_type="bottleneck",
            depths=[3, 4, 23, 3],
            hidden_sizes=[256, 512, 1024, 2048],
        ),
    ),
    # Half as wide, the stride in the first convolution of a block [garg]; the hub has no weights.
    "resnet50-half": Preset(
        None,
        partial(
            ResNetConfig,
            layer_type="bottleneck",
            depths=[3, 4, 6, 3],
            hidden_sizes=[128, 256, 512, 1024],
            downsample_in_bottleneck=True,
        ),
    ),
    "swinv2-tiny": Preset(
        "microsoft/swinv2-tiny-patch4-window8-256",
        partial(Swinv2Config, image_size=256, window_size=8),
    ),
    "convnextv2-atto": Preset(
        "facebook/convnextv2-atto-1k-224",
        partial(ConvNextV2Config, depths=[2, 2, 6, 2], hidden_sizes=[40, 80, 160, 320]),
    ),
    "convnextv2-tiny": Preset(
        "facebook/convnextv2-tiny-1k-224",
        partial(ConvNextV2Config, depths=[3, 3, 9, 3], hidden_sizes=[96, 192, 384, 768]),
    ),
    "dinov2-small": Preset(
        "facebook/dinov2-small",
        partial(Dinov2Config, hidden_size=384, num_attention_heads=6, image_size=518),
    ),
}


def configuration_of(name: str, online: bool) -> PretrainedConfig:
    """The configuration of a preset, of a folder with a config.json or such a file itself, or of a
    model on the hub.

    `online` allows the hub to be asked for the configuration of a hub id; else its cache must do.

    Raises:
        ValueError: there is no such backbone, or it is of a kind whose maps we cannot read.
        FileNotFoundError: the configuration of a hub id is neither cached nor to be had.
    """
    configuration = _described(name, online)
    supported = RESNETS | PYRAMIDS | TOKENS
    if configuration.model_type not in supported:
        raise ValueError(
            f"backbone {name}: expected a model of type {', '.join(sorted(supported))}, "
            f"got {configuration.model_type}"
        )
    return _as_backbone(configuration)


def _described(name: str, online: bool) -> PretrainedConfig:
    if name in PRESETS:
        return PRESETS[name].configuration()
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return _read(path)
    if not path.is_dir():
        if not HUB_ID.fullmatch(name):
            raise ValueError(
                f"backbone: expected one of {', '.join(PRESETS)}, a folder with a {CONFIGURATION}, "
                f"such a file, or a hub id such as microsoft/resnet-18, got {name!r}"
            )
        path = hub_folder(name, online)
    if not (path / CONFIGURATION).is_file():
        raise ValueError(f"backbone: expected a {CONFIGURATION} in the folder {path}, found none")
    return _read(path / CONFIGURATION)


def _read(path: Path) -> PretrainedConfig:
    try:
        configuration: PretrainedConfig = AutoConfig.from_pretrained(
            path, local_files_only=True, trust_remote_code=False
        )
    # Each configuration class has its own way to complain.
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(
            f"{path}: expected the configuration of a transformers model ({reason}); copy it again"
        ) from None
    return configuration


def architecture_json(configuration: PretrainedConfig) -> str:
    """The content of a file from which `configuration_of` makes the same backbone again, also where
    transformers has come to other defaults.
    """
    of_one_image = deepcopy(configuration)
    of_one_image.num_channels = RGB
    return str(of_one_image.to_json_string(use_diff=False))


def _as_backbone(configuration: PretrainedConfig) -> PretrainedConfig:
    """The same architecture, giving out four maps, with nothing random or idle in its forward pass.

    Departure: stochastic depth and dropout of the published configurations are off, so that a run
    that is resumed or sharded is the same run; a mask token would be a parameter without gradient.
    """
    layers = len(configuration.stage_names) - 1
    if layers < MAPS:
        raise ValueError(
            f"backbone: expected at least {MAPS} stages, the configuration has {layers}"
        )
    configuration.out_features = [f"stage{layers * i // MAPS}" for i in range(1, MAPS + 1)]
    for rate in ("drop_path_rate", "hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(configuration, rate):
            setattr(configuration, rate, 0.0)
    if hasattr(configuration, "use_mask_token"):
        configuration.use_mask_token = False
    return configuration


def hub_id_of(name: str) -> str | None:
    """Where on the hub the pretrained weights of `name` are; `None` for local files, and where it
    has none.
    """
    if name in PRESETS:
        return PRESETS[name].hub_id
    return None if Path(name).exists() else name
