"""Pictures of a training step: target, warps, errors, who teaches each pixel, depth."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from leadline.colour import PHOTOMETRIC_LIMIT, colour_depth, colour_photometric_error, montage
from leadline.files import atomic_path
from leadline.losses.term import BELIEVED, KEPT, Objective
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer, Explanation
from leadline.training.module import DepthTraining
from leadline.training.step import scene_of
from leadline.types import Batch, Errors, LossValue, Predictions

Picture = UInt8[np.ndarray, "_ _ 3"]

NOTHING, TEACHERS = (30, 30, 30), {KEPT: (38, 94, 168), BELIEVED: (245, 166, 35)}
"""Colours of a pixel that teaches nothing, and of what teaches it: photometric error, hint. Where
both do, it is the hint's."""
TEACHERS_CAPTION = "taught by: picture blue, hint orange"
PAINTED_CAPTION = "painted from features"
FEATURES_CAPTION = "error of features, white the largest"
CONFIDENCE_CAPTION = "confidence of the hint, white 1"
LEAST_WIDTH = 320
"""Pixels of a picture on the sheet, so that captions fit."""


def picture_of(image: Float[Tensor, "3 h w"]) -> Picture:
    """An image in [0, 1] as 8-bit RGB."""
    return (image.detach().cpu().clamp(0, 1) * 255).round().byte().movedim(0, -1).numpy()


def picture_of_teachers(parts: Mapping[str, LossValue], scale: int, index: int) -> Picture | None:
    """What teaches each pixel of one sample, in the colours of `TEACHERS`, as the terms themselves
    say it, a colour as strong as its weight; None where none of them chooses among pixels.
    """
    picture = None
    for kind, colour in TEACHERS.items():
        name = f"{kind}_{scale}"
        for chosen in (part.maps[name] for part in parts.values() if name in part.maps):
            if picture is None:
                picture = np.full((*chosen.shape[-2:], 3), NOTHING, np.float32)
            share = chosen[index, 0].float().cpu().numpy()[..., None]
            picture += share * (np.array(colour, np.float32) - picture)
    return None if picture is None else np.rint(picture).astype(np.uint8)


def scene_sheet(
    batch: Batch,
    predictions: Predictions,
    explainer: Explainer,
    objective: Objective,
    step: int = 0,
    index: int = 0,
) -> Picture:
    """All that the objective sees of one sample at this step, and what it makes of it, at the
    finest scale, as one captioned sheet.
    """
    shown: frozenset[Explanation] = frozenset({"predicted", "warped"} if batch.sources else ())
    with torch.no_grad():
        scene = scene_of(batch, predictions, explainer, objective.needed(), shown)
        _, parts = objective(scene, step)
    errors = scene.errors
    cells = {"target": picture_of(batch.images[TARGET][index])}
    if predictions.reconstruction is not None:
        painted = predictions.reconstruction[min(predictions.reconstruction)]
        cells[PAINTED_CAPTION] = picture_of(painted[index].float())
    if errors.depth:
        cells |= _cells_of_depth(batch, errors, parts, index)
    if batch.hint is not None:
        cells["hint"] = colour_depth(batch.hint[index, 0].cpu().numpy())
    if batch.hint_confidence is not None:
        confidence = batch.hint_confidence[index].expand(3, -1, -1)
        cells[CONFIDENCE_CAPTION] = picture_of(confidence)
    return montage(
        list(cells.values()), list(cells), columns=2, width=max(batch.size[1], LEAST_WIDTH)
    )


def _cells_of_depth(
    batch: Batch, errors: Errors, parts: Mapping[str, LossValue], index: int
) -> dict[str, Picture]:
    """The finest depth of one sample, what it makes of the sources, and what teaches it."""
    finest = min(errors.depth)
    depth = errors.depth[finest][index, 0].detach().float().cpu().numpy()
    cells = {"depth": colour_depth(depth)}
    if errors.warped is not None and errors.predicted is not None:
        for n, offset in enumerate(batch.sources):
            cells[f"{offset} warped by depth"] = picture_of(errors.warped[finest][index, n])
            error = errors.predicted[finest][index, n].detach().float().cpu().numpy()
            cells[f"{offset} error"] = colour_photometric_error(error)
    teachers = picture_of_teachers(parts, finest, index)
    if teachers is not None:
        cells[TEACHERS_CAPTION] = teachers
    if errors.features is not None:
        # The least over sources: what the loss looks at.
        least = errors.features[index].min(0).values.detach().float().cpu().numpy()
        cells[FEATURES_CAPTION] = colour_photometric_error(
            PHOTOMETRIC_LIMIT * least / max(float(least.max()), 1e-9)
        )
    return cells


def learns_features(predictor: nn.Module) -> bool:
    """Whether there is something to show though nothing is warped."""
    return "reconstruction" in getattr(predictor, "makes", ())


class Pictures(pl.Callback):
    """Draws the first sample of a batch every so many steps, for TensorBoard and as a PNG."""

    def __init__(self, folder: Path, every_steps: int) -> None:
        self._folder = folder
        self._every_steps = every_steps
        self._drawn = 0

    def on_train_batch_end(
        self,
        trainer: pl.Trainer,
        module: pl.LightningModule,
        outputs: Any,
        batch: Batch,
        batch_index: int,
    ) -> None:
        step = trainer.global_step
        # Several batches may make one step, of which one picture is enough.
        due = step != self._drawn and (step % self._every_steps == 0 or step == 1)
        if not (due and trainer.is_global_zero and isinstance(module, DepthTraining)):
            return
        if not batch.sources and not learns_features(module.predictor):
            return
        if batch.sources and batch.intrinsics is None:
            return
        # The weights are those after the step; what counts is what counted in it.
        sheet = self._draw(module, batch, step - 1)
        self._drawn = step
        with atomic_path(self._folder / f"step_{step:07d}.png") as temporary:
            cv2.imwrite(str(temporary), sheet[..., ::-1])
        for logger in trainer.loggers:
            if isinstance(logger, pl.loggers.TensorBoardLogger):
                logger.experiment.add_image("train/scene", sheet, step, dataformats="HWC")

    def _draw(self, module: DepthTraining, batch: Batch, step: int) -> Picture:
        # In eval mode, so that drawing does not move the statistics of batch norm.
        module.eval()
        try:
            with torch.no_grad():
                predictions = module.predictor(batch)
                return scene_sheet(batch, predictions, module.explainer, module.objective, step)
        finally:
            module.train()
