"""A recipe: one complete YAML file per method, read into a data module and a training module.

The file names classes and their arguments; the type hints are the schema, so that a misspelt key
fails before anything loads.
"""

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import lightning.pytorch as pl
import yaml
from jsonargparse import ArgumentError, ArgumentParser, Namespace

from leadline.data.module import DepthData
from leadline.recipes import recipe_text
from leadline.training.module import DepthTraining
from leadline.training.precision import Precision, chosen_precision


@dataclass(frozen=True)
class RunSettings:
    """How long and on what a recipe is trained."""

    epochs: int = 20
    steps: int | None = None
    """Ends the run earlier than the epochs do."""
    init_from: str | None = None
    """Model folder whose weights to start from."""
    precision: Precision = "32-true"
    """Of the networks; warps, SSIM, logarithms and losses are float32 under any of them. `auto` is
    bf16-mixed where the processor gains by it; not the default, because a recipe should give the
    same numbers on every machine."""
    accelerator: Literal["auto", "cpu", "gpu", "cuda", "mps"] = "auto"
    devices: int | Literal["auto"] = "auto"
    nodes: int = 1
    accumulate: int = 1
    """Batches whose gradients are summed before each update."""
    clip_gradient: float | None = None
    checkpoint_every: int = 500
    """Steps between resume points."""
    pictures_every: int = 500
    log_every: int = 10
    loggers: list[Literal["tensorboard", "wandb", "mlflow"]] = field(
        default_factory=lambda: ["tensorboard"]
    )
    """Beside the plain file `curves.csv`, which needs none."""


def recipe_parser() -> ArgumentParser:
    """What a recipe may say: `seed`, `data`, `model`, `run`."""
    parser = ArgumentParser(exit_on_error=False, prog="leadline train")
    parser.add_argument("--seed", type=int, default=0, help="of weights, order and augmentation")
    parser.add_class_arguments(DepthData, "data")
    parser.link_arguments("seed", "data.seed")
    parser.add_class_arguments(DepthTraining, "model")
    parser.add_class_arguments(RunSettings, "run")
    return parser


def read_recipe(
    recipe: str,
    given: Mapping[str, Mapping[str, Any]] | None = None,
    overrides: Sequence[str] = (),
) -> Namespace:
    """A checked configuration: the recipe, then what is `given` by section, then the overrides.

    Overrides are spelt `--data.batch_size=4`. What is left to the machine is chosen here, so that
    the configuration of a run says what was chosen.

    Raises:
        ValueError: one line that names the wrong key or value.
    """
    try:
        contents = yaml.safe_load(recipe_text(recipe))
    except yaml.YAMLError as error:
        raise ValueError(f"recipe {recipe}: not valid YAML ({_one_line(error)})") from None
    if not isinstance(contents, dict):
        raise ValueError(f"recipe {recipe}: expected sections seed, data, model and run, got none")
    for section, values in (given or {}).items():
        if not isinstance(contents.get(section), Mapping | None):
            raise ValueError(
                f"recipe {recipe}: expected names with values under {section}, got "
                f"{contents[section]!r}; write `{section}:` and below it lines `name: value`"
            )
        contents[section] = (contents.get(section) or {}) | dict(values)
    parser = recipe_parser()
    try:
        config = parser.parse_args(list(overrides), namespace=parser.parse_object(contents))
    except Exception as error:
        advice = _nearest_key(str(error), parser)
        raise ValueError(f"recipe {recipe}: {_one_line(error)}{advice}") from None
    config.run.precision = chosen_precision(config.run.precision, config.run.accelerator)
    return config


def completed(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration, and the defaults of what it does not say.

    Raises:
        ValueError: it lacks something that has no default, or says what cannot be said.
    """
    parser = recipe_parser()
    try:
        config = parser.parse_object(dict(values))
    except ArgumentError as error:
        raise ValueError(_one_line(error)) from None
    whole: dict[str, Any] = yaml.safe_load(parser.dump(config, skip_unset=False))
    return whole


def build(config: Namespace) -> tuple[DepthData, DepthTraining, RunSettings]:
    """The data, the training and the run that a configuration describes; weights from its seed.

    Raises:
        ValueError: the seed is negative, or a class refuses what it is given.
    """
    if config.seed < 0:
        raise ValueError(f"seed: expected 0 or more, got {config.seed}")
    pl.seed_everything(config.seed, workers=True, verbose=False)
    try:
        built = recipe_parser().instantiate(config)
    except (ValueError, OSError, TypeError) as error:
        raise _of_optional_part(error) from None
    return built.data, built.model, built.run


def as_yaml(config: Namespace) -> str:
    """The complete configuration, as a recipe that gives the same run again."""
    return str(recipe_parser().dump(config, skip_unset=False))


def _of_optional_part(error: Exception) -> Exception:
    """What a part of a network that may be left out complains of, without the parser's words on
    what else might have stood in its place; any other error as it is.
    """
    found = re.search(r"Errors:\s+- (.*?)\s+- Expected a <class 'NoneType'>", str(error), re.DOTALL)
    return error if found is None else ValueError(" ".join(found[1].split()))


def _nearest_key(message: str, parser: ArgumentParser) -> str:
    group = re.search(r"Group '([\w.]+)' does not accept option '(\w+)'", message)
    single = re.search(r"unrecognized arguments: --([\w.]+)|Option '([\w.]+)' is not", message)
    parts = [part for found in (group, single) if found for part in found.groups() if part]
    if not parts:
        return ""
    near = difflib.get_close_matches(".".join(parts), parser.get_defaults().as_flat().__dict__, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
