"""A configuration and a choice of weights -> a transformers backbone; never silently random."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoBackbone, PretrainedConfig
from transformers.utils import logging

from leadline.networks.architectures import PRESETS, RGB, configuration_of, hub_id_of
from leadline.networks.hub import hub_folder

Weights = Literal["hub", "none"] | Path
"""`hub`: pretrained, from the Hugging Face hub or its cache; `none`: random; or a folder."""

backbones: Any = AutoBackbone
logs: Any = logging
"""Parts of transformers that carry no type hints."""

ADDED_BY_BACKBONE = "hidden_states_norms."
"""Norms of the maps given out, which no checkpoint of a classifier has; they start as no-ops."""


def build_network(name: str, weights: Weights, in_images: int) -> nn.Module:
    """A transformers backbone that takes `in_images` RGB images stacked along the channels.

    Pretrained first-layer weights are tiled over the images and divided by their number, so that
    equal images give what one image gave [monodepth2].

    Raises:
        ValueError: there is no such backbone, or the weights are those of another one.
        FileNotFoundError: the weights are not where they should be.
    """
    configuration = configuration_of(name, online=weights == "hub")
    if weights == "none":
        network = _random_network(configuration, in_images)
    else:
        network = _load(configuration, _weights_folder(name, weights), name)
        if in_images > 1:
            network = _widened(network, configuration, in_images)
    # Checkpoints may be stored in half precision; and transformers returns loaded networks in
    # evaluation mode, in which batch norms inside a training network would stop learning, unseen.
    return network.float().train()


def _random_network(configuration: PretrainedConfig, in_images: int) -> nn.Module:
    configuration.num_channels = RGB * in_images
    network: nn.Module = backbones.from_config(configuration)
    return network


def _weights_folder(name: str, weights: Weights) -> Path:
    if weights == "hub":
        hub_id = hub_id_of(name)
        if hub_id is None:
            kind = "a preset without weights there" if name in PRESETS else "local"
            raise ValueError(
                f"weights: hub needs a preset or a hub id, but the backbone {name} is {kind}; "
                "set weights to a folder with model.safetensors, or to none"
            )
        return hub_folder(hub_id, online=True)
    folder = Path(weights)
    if not any(folder.glob("*.safetensors")):
        raise FileNotFoundError(
            f"weights: expected hub, none or a folder with model.safetensors, got {str(weights)!r}"
        )
    return folder


def _load(configuration: PretrainedConfig, folder: Path, name: str) -> nn.Module:
    # `AutoBackbone.from_pretrained` asks the hub even about local folders; the class does not.
    with torch.device("meta"):
        network_class: Any = type(backbones.from_config(configuration))
    with _quiet():
        try:
            network, report = network_class.from_pretrained(
                folder,
                config=configuration,
                local_files_only=True,
                use_safetensors=True,
                output_loading_info=True,
            )
        except RuntimeError as error:
            raise ValueError(
                f"weights: the tensors in {folder} have other shapes than those of {name}; "
                "give the folder of the same architecture"
            ) from error
        except SafetensorError as error:
            raise ValueError(
                f"weights: the file in {folder} is damaged ({error}); fetch it again"
            ) from error
    missing = sorted(k for k in report["missing_keys"] if not k.startswith(ADDED_BY_BACKBONE))
    if missing:
        raise ValueError(
            f"weights: {folder} lacks {len(missing)} tensors of {name}, {missing[0]} among them; "
            "give the folder of the same architecture"
        )
    loaded: nn.Module = network
    return loaded


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bar and no table of unused classifier weights: what matters is checked by us."""
    verbosity, bars = logs.get_verbosity(), logs.is_progress_bar_enabled()
    logs.set_verbosity_error()
    logs.disable_progress_bar()
    try:
        yield
    finally:
        logs.set_verbosity(verbosity)
        if bars:
            logs.enable_progress_bar()


def _widened(network: nn.Module, configuration: PretrainedConfig, in_images: int) -> nn.Module:
    wide = _random_network(configuration, in_images)
    shapes = {key: value.shape for key, value in wide.state_dict().items()}
    wide.load_state_dict(
        {
            key: value
            if value.shape == shapes[key]
            else value.repeat(1, in_images, 1, 1) / in_images
            for key, value in network.state_dict().items()
        }
    )
    return wide
