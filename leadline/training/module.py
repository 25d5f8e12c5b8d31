"""The one LightningModule: it holds the schedule, and no method's name."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import lightning.pytorch as pl
import numpy as np
import torch
from jaxtyping import Float64
from lightning.pytorch.cli import LRSchedulerCallable, OptimizerCallable
from lightning.pytorch.core.optimizer import LightningOptimizer
from lightning.pytorch.utilities import rank_zero_only
from torch import nn

from leadline.data.module import DepthData
from leadline.files import atomic_path
from leadline.losses.term import Need, Objective, Weighted
from leadline.metrics import DepthMetrics, depth_metrics, mean_metrics
from leadline.metrics.by_image import DepthMetricsByImage
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import PUBLISHED_EXPLAINER, Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.optimisers import ParameterRule, freeze_by_rule, parameter_groups
from leadline.training.schedules import PolynomialDecay
from leadline.training.step import NonFiniteLoss, Step, training_step
from leadline.training.supply import supplied_by_data, supplied_by_predictor
from leadline.training.warmup import NO_WARMUP, Warmup
from leadline.types import Batch

VALIDATION_RANGE = (1e-3, 80.0)
"""Depths in metres that count in the validation figures, as in the usual protocols."""


def default_optimiser(parameters: Any) -> torch.optim.Optimizer:
    """Adam at 1e-4 [monodepth2]."""
    return torch.optim.Adam(parameters, lr=1e-4)


class DepthTraining(pl.LightningModule):
    """Trains a predictor under an objective; a method is the recipe that fills these in.

    Args:
        predictor: batch to predictions.
        objective: the complete objective, named and weighted.
        explainer: how explanations of the target are judged.
        optimiser: given parameter groups.
        schedule: of the learning rate; none keeps it constant.
        schedule_counts: what it counts: it is stepped at the end of each epoch, or after each step.
        warmup: over which steps the learning rate rises to where the schedule has it.
        groups: parameters that learn at another rate, or not at all.
    """

    def __init__(
        self,
        predictor: nn.Module,
        objective: Mapping[str, Weighted],
        explainer: Explainer = PUBLISHED_EXPLAINER,
        optimiser: OptimizerCallable = default_optimiser,
        schedule: LRSchedulerCallable | None = None,
        schedule_counts: Literal["epochs", "steps"] = "epochs",
        warmup: Warmup = NO_WARMUP,
        groups: Sequence[ParameterRule] = (),
    ) -> None:
        super().__init__()
        self.predictor = predictor
        self.objective = Objective(objective)
        self.explainer = explainer
        self.validation_metrics = DepthMetricsByImage()
        self._optimiser = optimiser
        self._schedule = schedule
        self._interval = {"epochs": "epoch", "steps": "step"}[schedule_counts]
        self._warmup = warmup
        self._groups = tuple(groups)
        self._metric = False
        freeze_by_rule(predictor, self._groups)

    def configure_optimizers(self) -> Any:
        optimiser = self._optimiser(self.predictor.parameters())
        groups = parameter_groups(self.predictor, optimiser.param_groups[0]["lr"], self._groups)
        optimiser = self._optimiser(groups)
        if self._schedule is None:
            return optimiser
        schedule = self._schedule(optimiser)
        if isinstance(schedule, PolynomialDecay) and schedule.total is None:
            steps, epochs = self.trainer.estimated_stepping_batches, self.trainer.max_epochs
            schedule.total = int(steps) if self._interval == "step" else epochs
        scheduled = {"scheduler": schedule, "interval": self._interval}
        return {"optimizer": optimiser, "lr_scheduler": scheduled}

    def optimizer_step(
        self,
        epoch: int,
        batch_idx: int,
        optimizer: torch.optim.Optimizer | LightningOptimizer,
        optimizer_closure: Callable[[], Any] | None = None,
    ) -> None:
        with self._warmup.applied(optimizer, self.global_step):
            super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)

    @property
    def data(self) -> DepthData:
        """The data module that the trainer was given."""
        data = self.trainer.datamodule  # type: ignore[attr-defined]
        if not isinstance(data, DepthData):
            raise ValueError(f"expected a DepthData beside the training, got {type(data).__name__}")
        return data

    def on_fit_start(self) -> None:
        ways = self.data.ways() if "distance" in self.objective.needed() else None
        if ways is not None:
            rank_zero_only(print)(ways)
            ways.check()
        supplied = supplied_by_data(self.data, ways)
        supplied |= supplied_by_predictor(self.predictor, self.data.offsets)
        self.objective.check(supplied)
        self.explainer.check(self.objective.needed())
        check_calibrated(supplied, self.objective)
        check_masks(supplied, self.objective)
        if isinstance(self.predictor, DepthAndPose):
            self.predictor.check([o for o in self.data.offsets if o != TARGET])
            check_window(self.data, self.predictor)
            check_partner(self.data, self.predictor)
        self._metric = self.is_metric()

    def is_metric(self) -> bool:
        """Whether data or objective give the scale."""
        return self.data.is_metric() or self.objective.gives_scale

    def take_step(self, batch: Batch) -> Step:
        """The step on one batch, in the precision that the trainer has set up."""
        return training_step(
            self.predictor, self.explainer, self.objective, batch, self.global_step
        )

    def training_step(self, batch: Batch, batch_index: int) -> torch.Tensor:
        try:
            step = self.take_step(batch)
        except NonFiniteLoss as error:
            path = (
                Path(self.trainer.default_root_dir)
                / f"non_finite_{self.global_step}_{self.global_rank}.pt"
            )
            save_batch(batch, path)
            raise NonFiniteLoss(f"{error}. The batch is in {path}") from None
        self._log("train", step, len(batch))
        return step.loss

    def validation_step(self, batch: Batch, batch_index: int) -> None:
        step = self.take_step(batch)
        self._log("val", step, len(batch))
        pixels = scored_pixels(batch, step)
        ratios = {each.id: each.ratio for each in pixels}
        self.validation_metrics.update(rows_of(pixels, metric=self._metric), ratios)

    def on_validation_epoch_end(self) -> None:
        # Every rank must take part, also one whose share of images had no truth.
        rows = self.validation_metrics.rows()
        if rows:
            mean = mean_metrics(rows.values())
            values = zip(mean.names(), mean.as_row(), strict=True)
            self.log_dict({f"val/{name}": value for name, value in values})
        if rows and self._metric:
            # What metres lack: 1, and the same for all images, where they are learnt.
            ratios = np.array(self.validation_metrics.ratios())
            scale = float(np.median(ratios))
            spread = float(np.std(ratios / scale))
            self.log_dict({"val/scale": scale, "val/scale_spread": spread})
        self.validation_metrics.reset()

    def _log(self, stage: str, step: Step, size: int) -> None:
        values = {f"{stage}/{name}": value.mean().detach() for name, value in step.parts.items()}
        self.log(
            f"{stage}/loss", step.loss.detach(), prog_bar=True, batch_size=size, sync_dist=True
        )
        self.log_dict(values, batch_size=size, sync_dist=True)


def check_calibrated(supplied: frozenset[Need], objective: Objective) -> None:
    """Refuse a change of brightness that costs nothing: a gain below 1 makes wrong warps cheaper.

    Raises:
        ValueError: the predictor says one, and no term charges for it.
    """
    if "brightness" in supplied and "brightness" not in objective.needed():
        raise ValueError(
            "objective: expected a BrightnessPrior beside a predictor with `brightness:`, got "
            "none: a picture made dim and even would fit every warp; add it, or leave both out"
        )


def check_masks(supplied: frozenset[Need], objective: Objective) -> None:
    """Refuse masks that nobody looks at, whose part of the network would learn nothing.

    Raises:
        ValueError: a network makes them, and no term reads them.
    """
    if "explainability" in supplied and "explainability" not in objective.needed():
        raise ValueError(
            "objective: expected a MaskedReprojection beside a network that makes masks, got none; "
            "add it and an ExplainabilityPrior, or leave the masks out (`explains: false`, "
            "`explained_sources: 0`)"
        )


def check_partner(data: DepthData, predictor: DepthAndPose) -> None:
    """Refuse partners on either side to a network that says the depth of one that it never sees.

    Raises:
        ValueError: targets are not chosen by their partner's side, or mirroring changes it.
    """
    if not predictor.partner_right or STEREO not in data.offsets:
        return
    flip = data.augmentation.flip
    if not data.needs.partner_right or flip == "mirror":
        got = f"flip {flip}" if data.needs.partner_right else "partner: either"
        raise ValueError(
            "data: expected `partner: right` and flip `swap` or `none` with a network that says "
            f"the depth of the right picture of a pair, got {got}: it would be taught both sides "
            "as one"
        )


def check_window(data: DepthData, predictor: DepthAndPose) -> None:
    """Refuse to predict motion from windows: ahead looks like a turn at the picture's side.

    Raises:
        ValueError: there are windows, and a pose network for frames in time.
    """
    in_time = any(offset.camera == 0 for offset in data.offsets if offset != TARGET)
    if data.augmentation.window is not None and in_time and predictor.predicts_motion:
        raise ValueError(
            "window: expected none with a pose network, got one: in a part of an image motion "
            "looks different from what it is; leave data.window at null"
        )


@dataclass(frozen=True)
class ScoredPixels:
    """Of one image the depths that are compared while training, in metres."""

    id: str
    truth: Float64[np.ndarray, "p"]
    prediction: Float64[np.ndarray, "p"]

    @property
    def ratio(self) -> float:
        """median(truth) / median(prediction)."""
        return float(np.median(self.truth) / np.median(self.prediction))


def scored_pixels(batch: Batch, step: Step) -> list[ScoredPixels]:
    """Of each image that has truth at the size of training the pixels that count."""
    if batch.depth is None or not step.scene.errors.depth:
        return []
    finest = step.scene.errors.depth[min(step.scene.errors.depth)]
    found = []
    for i, image_id in enumerate(batch.ids):
        truth = batch.depth[i, 0].cpu().double().numpy()
        counted = (truth > VALIDATION_RANGE[0]) & (truth < VALIDATION_RANGE[1])
        if counted.any() and truth.shape == tuple(finest.shape[-2:]):
            prediction = finest[i, 0].detach().cpu().double().numpy()
            found.append(ScoredPixels(image_id, truth[counted], prediction[counted]))
    return found


def rows_of(images: Sequence[ScoredPixels], metric: bool) -> dict[str, DepthMetrics]:
    """The figures of each image.

    A quick look while training, not an evaluation: without crop, and scaled by the median where the
    scale is not known.
    """
    return {
        each.id: depth_metrics(
            (each.prediction * (1 if metric else each.ratio)).clip(*VALIDATION_RANGE), each.truth
        )
        for each in images
    }


def save_batch(batch: Batch, path: Path) -> None:
    """Every tensor of a batch, loadable with `torch.load(path, weights_only=True)`.

    Named as its field, a mapping by offset as `field[offset]`.
    """
    contents: dict[str, Any] = {"ids": list(batch.ids), "unit": batch.unit}
    for field in fields(batch):
        value = getattr(batch, field.name)
        if isinstance(value, torch.Tensor):
            contents[field.name] = value.cpu()
        elif isinstance(value, Mapping):
            for offset, tensor in value.items():
                contents[f"{field.name}[{offset}]"] = tensor.cpu()
    with atomic_path(path) as temporary:
        torch.save(contents, temporary)
