"""A part of a trained model folder -> the same part of another network."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import nn

WEIGHTS = "model.safetensors"
"""Of a model folder."""


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
