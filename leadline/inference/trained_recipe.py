"""A model folder -> network, explainer and objective as they were when training ended."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from jsonargparse import ArgumentError, ArgumentParser
from torch import nn

from leadline.data.hand_held import AS_THEY_COME, HandHeld
from leadline.inference.model_folder import CONFIG, ModelConfig, load_predictor
from leadline.losses.term import Objective, Weighted
from leadline.offset import TARGET, Offset
from leadline.synthesis.errors import Explainer
from leadline.training.optimisers import ParameterRule

PARTS = ("hand_held", "explainer", "objective", "groups")
"""Of what a model folder says of its training."""


@dataclass(frozen=True)
class TrainedRecipe:
    """What is needed to go on training a model."""

    predictor: nn.Module
    explainer: Explainer
    objective: Objective
    offsets: tuple[Offset, ...]
    """The frames that a sample had, the target first."""
    hand_held: HandHeld
    """How neighbours in time were chosen and shown."""
    groups: tuple[ParameterRule, ...]
    """Of parameters that learn at another rate, or not at all."""
    config: ModelConfig


def load_trained_recipe(folder: Path) -> TrainedRecipe:
    """The trained network, in evaluation mode, and what it was trained under.

    Raises:
        FileNotFoundError: the folder is not there, or is no model.
        ValueError: it does not say how it was trained, or says what this version does not know.
    """
    predictor, config = load_predictor(folder)
    if not config.training:
        raise ValueError(
            f"{folder / CONFIG}: expected the objective that the model was trained under, found "
            "none: it was written by an older version; train it again to refine it"
        )
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--hand_held", type=HandHeld, default=AS_THEY_COME)
    parser.add_argument("--explainer", type=Explainer)
    parser.add_argument("--objective", type=Mapping[str, Weighted])
    parser.add_argument("--groups", type=Sequence[ParameterRule], default=())
    try:
        parsed = parser.parse_object(
            {part: config.training[part] for part in PARTS if part in config.training}
        )
    except ArgumentError as error:
        reason = " ".join(str(error).split())
        raise ValueError(
            f"{folder / CONFIG}: {reason}; the model was made by another version of leadline or "
            "with code that is not installed here"
        ) from None
    built = parser.instantiate(parsed)
    sources = [Offset.parse(frame) for frame in config.training["frames"]]
    try:
        built.hand_held.check(sources)
    except ValueError as error:
        raise ValueError(f"{folder / CONFIG}: {error}") from None
    return TrainedRecipe(
        predictor,
        built.explainer,
        Objective(built.objective),
        tuple(dict.fromkeys((TARGET, *sources))),
        built.hand_held,
        tuple(built.groups),
        config,
    )
