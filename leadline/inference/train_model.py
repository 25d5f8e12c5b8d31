"""A configuration -> a trained model folder: what the command line, demo and benchmarks share."""

from pathlib import Path

from jsonargparse import Namespace
from lightning.pytorch.utilities import rank_zero_only

from leadline.inference.model_callback import ModelFolder
from leadline.inference.model_folder import RUN_MODEL, load_weights
from leadline.training.recipe import as_yaml, build
from leadline.training.run import fit
from leadline.training.run_folder import RESUME_POINT


def train_model(config: Namespace, recipe: str, run: Path) -> Path:
    """Train what `read_recipe` made in the folder `run`, or go on there; returns the model folder.

    `recipe` is the name by which the model's card calls it. Weights to start from
    (`run.init_from`) are read unless the run is under way.

    Raises:
        ValueError: the run was begun with other settings; no frame can be used; the loss is not
            finite.
        FileNotFoundError: there are no weights to start from.
    """
    batches, module, settings = build(config)
    if settings.init_from is not None and not (run / RESUME_POINT).exists():
        load_weights(module.predictor, Path(settings.init_from))
    # Of several processes one speaks.
    rank_zero_only(print)(module.objective)
    text = as_yaml(config)
    model = ModelFolder(run / RUN_MODEL, recipe, text)
    fit(module, batches, settings, run, text, [model])
    return model.folder
