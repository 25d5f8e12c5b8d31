"""Short wishes of a user -> overrides of a recipe."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonargparse import Namespace

EXTRACTOR = "model.predictor.init_args.extractor.init_args"
"""Where a predictor's configuration has the arguments of its extractor."""
EXTRACTOR_BACKBONE = "extractor.backbone.json"
"""In a model folder, the architecture of its extractor's backbone."""
OVERFIT_STEPS = 300
"""Enough for the loss of a few frames to fall clearly."""


def overfitting(count: int | None) -> list[str]:
    """Settings under which a few frames must be learned by heart: a check of the installation.

    Each step sees all of them as they are, so that one epoch is one step.

    Raises:
        ValueError: less than one frame.
    """
    if count is None:
        return []
    if count < 1:
        raise ValueError(f"--overfit: expected 1 frame or more, got {count}")
    return [
        f"--data.limit={count}",
        f"--data.batch_size={count}",
        "--run.devices=1",
        "--data.val_share=0",
        "--data.flip=none",
        "--data.jitter=false",
        "--data.zoom=1",
        "--data.rotation=0",
        "--data.window=null",
        "--data.workers=0",
        "--run.accumulate=1",
        "--model.schedule=null",
        f"--run.epochs={OVERFIT_STEPS}",
        f"--run.pictures_every={OVERFIT_STEPS}",
        "--run.log_every=1",
    ]


def extractor(predictor: Mapping[str, Any], folder: Path | None) -> list[str]:
    """The trained network whose features a recipe compares.

    Raises:
        ValueError: the recipe compares none, or those of another kind of network.
    """
    if folder is None:
        return []
    place = EXTRACTOR
    if f"{place}.trained" not in dict(_named("trained", predictor, "model.predictor")):
        raise ValueError(
            "--extractor: is for recipes that compare features of a trained autoencoder, as "
            "featdepth_ms does; leave it out"
        )
    own = folder / EXTRACTOR_BACKBONE
    kept = [f"--{place}.backbone={own.resolve()}"] if own.is_file() else []
    return [f"--{place}.trained={folder.resolve()}", *kept]


def without_trained_parts(config: Namespace) -> Namespace:
    """A copy whose extractor loads no trained network: its weights are about to come with the
    others.
    """
    copy = config.clone()
    if f"{EXTRACTOR}.trained" in copy:
        copy[f"{EXTRACTOR}.trained"] = "none"
    return copy


def backbone_weights(predictor: Mapping[str, Any], weights: str) -> list[str]:
    """Initial weights for every backbone of a recipe's predictor that learns: hub, none, or a
    folder; none where no backbone takes weights and learns. What is frozen is no beginning:
    features of random weights would pass for learned ones.
    """
    return [f"--{key}={weights}" for key, _ in _named("weights", predictor, "model.predictor")]


def backbone_beginnings(predictor: Mapping[str, Any]) -> set[str]:
    """What the backbones of a recipe's predictor that learn begin with: hub, none, folders."""
    return {str(weights) for _, weights in _named("weights", predictor, "model.predictor")}


def _named(name: str, values: Mapping[str, Any], path: str) -> Iterator[tuple[str, Any]]:
    """Where settings of that name stand, and what they are; weights of what learns alone."""
    if name == "weights" and str(values.get("class_path", "")).endswith(".FrozenBackbone"):
        return
    for key, value in values.items():
        if key == name:
            yield f"{path}.{key}", value
        elif isinstance(value, Mapping):
            yield from _named(name, value, f"{path}.{key}")
