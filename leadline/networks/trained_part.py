"""A part of a trained model folder -> the same part of another network."""

from collections.abc import Collection
from pathlib import Path

import yaml
from safetensors import SafetensorError, safe_open
from torch import nn

WEIGHTS, CONFIG = "model.safetensors", "config.yaml"
"""Of a model folder."""
RUN_MODEL = "model"
"""The model's folder within that of a run."""


def check_part(folder: Path, place: str, kinds: Collection[str]) -> None:
    """Refuse a model folder whose part called `place` is of another class.

    Raises:
        FileNotFoundError: the folder is no model.
        ValueError: names what is there, and what is wanted.
    """
    path = folder / CONFIG
    if not path.is_file():
        inside = folder / RUN_MODEL
        advice = f"did you mean {inside}?" if (inside / CONFIG).is_file() else "found none"
        raise FileNotFoundError(f"{folder}: expected a model folder with {CONFIG}; {advice}")
    try:
        parts = yaml.safe_load(path.read_text(encoding="utf-8"))["predictor"]["init_args"]
        kind = str(parts.get(place, {}).get("class_path", "none")).rpartition(".")[2]
    except (yaml.YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise ValueError(
            f"{path}: expected the configuration of a model; copy or train it again"
        ) from None
    if kind not in kinds:
        raise ValueError(
            f"{path}: expected an {place} that is a {' or a '.join(kinds)}, got {kind}; give a "
            "model of another recipe"
        )


def load_part(part: nn.Module, folder: Path, prefix: str) -> None:
    """Load the tensors whose names begin with `prefix` into a module that may hold fewer of them.

    Raises:
        FileNotFoundError: there are no weights.
        ValueError: they are damaged, or lack a tensor or have it in another shape.
    """
    path = folder / WEIGHTS
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected the weights of a model folder, found none")
    own = part.state_dict()
    try:
        with safe_open(path, framework="pt") as file:
            there = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118
            wrong = [
                name
                for name, tensor in own.items()
                if there.get(prefix + name) != list(tensor.shape)
            ]
            if wrong:
                raise ValueError(
                    f"{path}: expected {prefix}{wrong[0]} of shape {tuple(own[wrong[0]].shape)}, "
                    f"got {there.get(prefix + wrong[0], 'none')}; give a model of the same kind "
                    "and backbone"
                )
            part.load_state_dict({name: file.get_tensor(prefix + name) for name in own})
    except SafetensorError as error:
        raise ValueError(f"{path}: damaged ({error}); copy or train it again") from None
