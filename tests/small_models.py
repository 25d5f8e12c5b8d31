"""Model folders with random weights, and backbones small enough to train in a test."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from transformers import ResNetConfig

from leadline.inference.model_folder import ModelConfig, build_predictor, save_model

SIZE = (64, 96)
"""(h, w) that the networks see."""


def write_tiny_backbone(folder: Path) -> Path:
    """A folder whose name is the name of a residual network with a thousandth of the weights."""
    small = ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 16, 24, 32], depths=[1] * 4, layer_type="basic"
    )
    small.save_pretrained(folder)
    return folder


def predictor_config(backbone: str = "resnet18") -> dict[str, object]:
    """As a recipe names the default predictor."""
    depth = {
        "class_path": "leadline.networks.depth.DepthNetwork",
        "init_args": {"backbone": backbone, "weights": "none"},
    }
    return {
        "class_path": "leadline.synthesis.predict.DepthAndPose",
        "init_args": {"depth": depth},
    }


PAIRS: Mapping[str, Any] = {
    "frames": [0, "stereo"],
    "explainer": {},
    "objective": {
        "reprojection": {"term": {"class_path": "leadline.losses.reprojection.Reprojection"}},
        "smoothness": {
            "term": {"class_path": "leadline.losses.smoothness.Smoothness"},
            "weight": 0.001,
        },
    },
}
"""How a model of `write_model` was trained, as its folder says it."""

PAIRS_WITH_HINTS: Mapping[str, Any] = dict(PAIRS) | {
    "objective": {
        "hint": {"term": {"class_path": "leadline.losses.proxy.ProxySupervision"}},
        "picture": {"term": {"class_path": "leadline.losses.reprojection.Reprojection"}},
    }
}
"""The same, by hints too."""


def write_model(
    folder: Path,
    backbone: str = "resnet18",
    metric: bool = True,
    seed: int = 0,
    training: Mapping[str, Any] = PAIRS,
    predictor: Mapping[str, Any] | None = None,
) -> Path:
    """A model folder as training writes it."""
    torch.manual_seed(seed)
    config = predictor_config(backbone) if predictor is None else predictor
    described = ModelConfig(
        config,
        SIZE,
        unit=5.0,
        metric=metric,
        recipe="demo",
        focal=0.9,
        baseline=0.5,
        training=training,
    )
    save_model(build_predictor(config), described, folder)
    return folder


def linked_copy(folder: Path, target: Path) -> Path:
    """The same model under another path, for tests that replace one of its files."""
    target.mkdir(parents=True)
    for path in folder.iterdir():
        os.link(path, target / path.name)
    return target


def replace_text(path: Path, old: str, new: str) -> None:
    """Change a file without changing the others that are linked to it."""
    text = path.read_text()
    assert old in text
    path.unlink()
    path.write_text(text.replace(old, new))


def write_photographs(folder: Path, names: list[str], size: tuple[int, int] = (50, 70)) -> Path:
    """Smooth random pictures, another one for each name."""
    for seed, name in enumerate(names):
        coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), np.uint8)
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC))
    return folder


def files_below(folder: Path) -> dict[str, bytes]:
    """Every file and what is in it."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
