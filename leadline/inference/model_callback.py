"""Keeps the model folder of a run up to date while it trains."""

import math
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import yaml

from leadline.data.module import DepthData
from leadline.files import remove_leftovers
from leadline.inference.model_folder import ModelConfig, save_model
from leadline.training.module import DepthTraining
from leadline.training.resume import SECONDS_BETWEEN_EPOCHS, Interrupted
from leadline.types import STEREO


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
        self._predictor: dict[str, Any] = yaml.safe_load(config)["model"]["predictor"]
        self._last_save = -math.inf

    def on_fit_start(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if trainer.is_global_zero:
            remove_leftovers([self.folder])

    def on_train_epoch_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if time.monotonic() - self._last_save > SECONDS_BETWEEN_EPOCHS:
            self._save(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        self._save(trainer, module)

    def on_exception(
        self, trainer: pl.Trainer, module: pl.LightningModule, exception: BaseException
    ) -> None:
        if isinstance(exception, Interrupted):
            self._save(trainer, module)

    def _save(self, trainer: pl.Trainer, module: pl.LightningModule) -> None:
        if not trainer.is_global_zero or not isinstance(module, DepthTraining):
            return
        save_model(module.predictor, self._describe(trainer, module.data), self.folder)
        self._last_save = time.monotonic()

    def _describe(self, trainer: pl.Trainer, data: DepthData) -> ModelConfig:
        rig = data.rig_summary()
        figures = {
            name.removeprefix("val/"): float(value)
            for name, value in trainer.callback_metrics.items()
            if name.startswith("val/")
        }
        return ModelConfig(
            predictor=self._predictor,
            size=data.size,
            unit=data.unit,
            metric=data.is_metric(),
            recipe=self._recipe,
            focal=rig.focal,
            baseline=rig.baseline if STEREO in data.offsets else None,
            steps=trainer.global_step,
            metrics=figures,
        )
