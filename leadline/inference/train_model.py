"""A configuration -> a trained model folder: what the command line, demo and benchmarks share."""

from pathlib import Path
from typing import Any

from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from leadline.inference.model_callback import ModelFolder
from leadline.inference.model_folder import load_weights
from leadline.networks.depth import DepthModule
from leadline.networks.trained_part import RUN_MODEL
from leadline.training.overrides import backbone_beginnings, without_trained_parts
from leadline.training.recipe import as_yaml, build
from leadline.training.run import fit
from leadline.training.run_folder import is_under_way


def train_model(config: Namespace, recipe: str, run: Path) -> Path:
    """Train what `read_recipe` made in the folder `run`, or go on there; returns the model folder.

    `recipe` is the name by which the model's card calls it. Weights to start from
    (`run.init_from`) are read unless the run is under way.

    Raises:
        ValueError: the run was begun with other settings; no frame can be used; the loss is not
            finite; parts would stay at random weights.
        FileNotFoundError: there are no weights to start from.
    """
    # What a run that is under way was begun from is in its resume point, and may be gone since.
    starts = is_under_way(run)
    comes = starts or config.run.init_from is not None
    batches, module, settings = build(without_trained_parts(config) if comes else config)
    if settings.init_from is not None and not starts:
        load_weights(module.predictor, Path(settings.init_from))
    if not comes:
        _refuse_random_rest(config, module.predictor)
    # Of several processes one speaks.
    rank_zero_only(print)(module.objective)
    text = as_yaml(config)
    model = ModelFolder(run / RUN_MODEL, recipe, text)
    fit(module, batches, settings, run, text, [model])
    return model.folder


def _refuse_random_rest(config: Namespace, predictor: nn.Module) -> None:
    """Refuse to keep as it is what nobody has trained."""
    if any(isinstance(part, DepthModule) and part.goes_on for part in predictor.modules()):
        raise ValueError(
            "this recipe goes on from a model, of which a part stays as it is, and got none; give "
            "--init-from RUN/model"
        )
    resting = [rule.match for rule in config.model.groups if _rests(rule)]
    if resting and "none" in backbone_beginnings(config.model.predictor.as_dict()):
        raise ValueError(
            f"groups: {resting[0]!r} keeps parts as they are, which random weights (weights: none) "
            "must not stay; give weights, or `--model.groups=[]` to let all learn"
        )


def _rests(rule: Any) -> bool:
    return bool(rule.lr_factor == 0 or rule.frozen_batch_norm)
