"""Pictures of a training step: target, warps, errors, which explanation won, depth."""

from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from leadline.colour import colour_depth, montage, palette_colours
from leadline.files import atomic_path
from leadline.losses.explanations import contest
from leadline.synthesis.errors import Explainer, Explanation
from leadline.training.module import DepthTraining
from leadline.types import TARGET, Batch, Errors, Predictions

Picture = UInt8[np.ndarray, "_ _ 3"]

WINNERS = {"prediction": (38, 94, 168), "identity": (30, 30, 30), "hint": (245, 166, 35)}
"""Colours of the explanation that wins a pixel: blue, near black, orange."""
LEAST_WIDTH = 320
"""Pixels of a picture on the sheet, so that captions fit."""
ERROR_SHOWN = 0.5
"""Photometric error at which the palette ends."""


def picture_of(image: Float[Tensor, "3 h w"]) -> Picture:
    """An image in [0, 1] as 8-bit RGB."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def picture_of_error(error: Float[Tensor, "h w"]) -> Picture:
    """A photometric error, dark where the explanation is good."""
    levels = (error.detach().cpu() / ERROR_SHOWN).clamp(0, 1) * 255
    return np.asarray(palette_colours("magma")[levels.round().byte().numpy()])


def picture_of_winners(errors: Errors, scale: int, index: int) -> Picture:
    """Which explanation wins each pixel of one sample, in the colours of `WINNERS`."""
    result = contest(errors, scale, "min", identity=True, hint=True)
    picture = np.empty((*errors.valid.shape[-2:], 3), np.uint8)
    picture[:] = WINNERS["prediction"]
    picture[result.identity_wins[index, 0].cpu().numpy()] = WINNERS["identity"]
    picture[result.hint_wins[index, 0].cpu().numpy()] = WINNERS["hint"]
    return picture


def scene_sheet(
    batch: Batch, predictions: Predictions, explainer: Explainer, index: int = 0
) -> Picture:
    """All that the objective could see of one sample, at the finest scale, as one captioned
    sheet.
    """
    wanted: set[Explanation] = {"predicted", "identity", "warped"}
    if batch.hint is not None:
        wanted.add("hint")
    with torch.no_grad():
        errors = explainer(batch, predictions, wanted)
    finest = min(errors.depth)
    cells = {
        "target": picture_of(batch.images[TARGET][index]),
        "depth": colour_depth(errors.depth[finest][index, 0].detach().float().cpu().numpy()),
    }
    if errors.warped is not None and errors.predicted is not None:
        for n, offset in enumerate(batch.sources):
            cells[f"{offset} warped by depth"] = picture_of(errors.warped[finest][index, n])
            cells[f"{offset} error"] = picture_of_error(errors.predicted[finest][index, n])
        cells["best: prediction blue, identity black, hint orange"] = picture_of_winners(
            errors, finest, index
        )
    if batch.hint is not None:
        cells["hint"] = colour_depth(batch.hint[index, 0].cpu().numpy())
    return montage(
        list(cells.values()), list(cells), columns=2, width=max(batch.size[1], LEAST_WIDTH)
    )


class Pictures(pl.Callback):
    """Draws the first sample of a batch every so many steps, for TensorBoard and as a PNG."""

    def __init__(self, folder: Path, every_steps: int) -> None:
        self._folder = folder
        self._every_steps = every_steps

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_index: int,
    ) -> None:
        step = trainer.global_step
        due = step % self._every_steps == 0 or step == 1
        if not (due and trainer.is_global_zero and isinstance(module, DepthTraining)):
            return
        if batch.intrinsics is None or not batch.sources:
            return
        sheet = self._draw(module, batch)
        with atomic_path(self._folder / f"step_{step:07d}.png") as temporary:
            cv2.imwrite(str(temporary), sheet[..., ::-1])
        for logger in trainer.loggers:
            if isinstance(logger, pl.loggers.TensorBoardLogger):
                logger.experiment.add_image("train/scene", sheet, step, dataformats="HWC")

    def _draw(self, module: DepthTraining, batch: Batch) -> Picture:
        # In eval mode, so that drawing does not move the statistics of batch norm.
        module.eval()
        try:
            with torch.no_grad():
                return scene_sheet(batch, module.predictor(batch), module.explainer)
        finally:
            module.train()
