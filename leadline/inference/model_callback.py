"""Keeps the model folder of a run up to date while it trains."""

import math
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml
from lightning.pytorch.utilities.exceptions import SIGTERMException

from leadline.files import remove_leftovers
from leadline.inference.model_folder import CONFIG, ModelConfig, save_model
from leadline.offset import STEREO
from leadline.training.module import DepthTraining
from leadline.training.resume import SECONDS_BETWEEN_EPOCHS, Interrupted


class ModelFolder(pl.Callback):
    """Writes the model at the end of an epoch and of the run, also of one that was interrupted.

    Args:
        folder: of the model.
        recipe: name of the recipe, for the card.
        config: the complete configuration of the run as YAML.
    """

    def __init__(self, folder: Path, recipe: str, config: str) -> None:
        self.folder = folder
        self._recipe = recipe
        content = yaml.safe_load(config)
        self._predictor: dict[str, Any] = content["model"]["predictor"]
        self._training = {
            "frames": content["data"]["frames"],
            "hand_held": content["data"]["hand_held"],
            **{part: content["model"][part] for part in ("explainer", "objective", "groups")},
        }
        self._figures: dict[str, float] = {}
        self._last_save = -math.inf

    def state_dict(self) -> dict[str, Any]:
        """The figures of the last validation: a run that resumes has not validated yet."""
        return {"metrics": self._figures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on with these figures until the next validation."""
        self._figures = dict(state_dict["metrics"])

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            remove_leftovers([self.folder])

    def on_validation_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._figures = {
            name.removeprefix("val/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        }

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if time.monotonic() - self._last_save > SECONDS_BETWEEN_EPOCHS:
            self._save(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._save(trainer, module)

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        if isinstance(exception, Interrupted | SIGTERMException):
            self._save(trainer, module)

    def on_fit_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        # A finished run trains nothing; its model may have been deleted.
        if not (self.folder / CONFIG).exists():
            self._save(trainer, module)

    def _save(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(module, DepthTraining):
            return
        save_model(module.predictor, self._describe(trainer, module), self.folder)
        self._last_save = time.monotonic()

    def _describe(self, trainer: pl.Trainer, module: DepthTraining) -> ModelConfig:
        data = module.data
        rig = data.rig_summary()
        return ModelConfig(
            predictor=self._predictor,
            size=data.size,
            unit=data.unit,
            metric=module.is_metric(),
            recipe=self._recipe,
            data=data.description(),
            focal=rig.focal,
            baseline=rig.baseline if STEREO in data.offsets else None,
            steps=trainer.global_step,
            crop_bottom=data.crop_bottom,
            training=self._training,
            metrics=self._figures,
        )
