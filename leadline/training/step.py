"""One training step, usable without a Trainer: predict, explain, weigh."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn

from leadline.losses.term import Need, Objective
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer, Explanation
from leadline.synthesis.partner import from_partner
from leadline.types import Batch, LossValue, Predictions, Scene

EXPLANATIONS: frozenset[Explanation] = frozenset({"predicted", "identity", "hint", "features"})


class NonFiniteLoss(RuntimeError):
    """A loss term became NaN or infinite; names the term and the frames."""


@dataclass(frozen=True)
class Step:
    """What came of one batch."""

    loss: Float[Tensor, ""]
    parts: Mapping[str, LossValue]
    """On several processes pooled, as the loss is: the mean over processes is that of the batch."""
    scene: Scene


def training_step(
    predictor: nn.Module,
    explainer: Explainer,
    objective: Objective,
    batch: Batch,
    step: int = 0,
) -> Step:
    """The whole of training: predictions, the errors of their explanations, the objective.

    Raises:
        NonFiniteLoss: before anything is updated.
        ValueError: nothing tells the pose of a source.
    """
    predictions: Predictions = predictor(batch)
    scene = scene_of(batch, predictions, explainer, objective.needed())
    loss, parts = objective(scene, step)
    check_finite(parts, predictions, batch)
    if distributed.is_available() and distributed.is_initialized():
        parts = {name: pooled(value) for name, value in parts.items()}
        loss = objective.total(parts)
    return Step(loss, parts, scene)


def scene_of(
    batch: Batch,
    predictions: Predictions,
    explainer: Explainer,
    needed: frozenset[Need],
    more: frozenset[Explanation] = frozenset(),
) -> Scene:
    """All that terms look at who need so much, from the partner's side too if they do.

    Raises:
        ValueError: the batch or the predictions lack it.
    """
    wanted = (EXPLANATIONS & needed) | more
    scene = Scene(batch, predictions, explainer(batch, predictions, wanted))
    if "partner" not in needed:
        return scene
    other = from_partner(batch, predictions)
    sides = wanted & {"predicted", "identity"}
    return replace(scene, partner=Scene(*other, explainer(*other, sides)))


def check_finite(parts: Mapping[str, LossValue], predictions: Predictions, batch: Batch) -> None:
    """Stop at a pose that nobody knows, or at the first term that is not a number.

    Asks the device once: every answer makes a GPU wait until it has done what it was given.
    """
    sums = [value.sum.flatten() for value in parts.values()]
    poses = [pose.flatten() for pose in predictions.poses.values()]
    # The sampler takes a coordinate that is not a number for one beyond the border: no error tells.
    depths = [depth.sum()[None] for depth in predictions.depth.get(TARGET, {}).values()]
    if torch.cat([*sums, *poses, *depths]).isfinite().all():
        return
    for offset, pose in predictions.poses.items():
        # A network that has gone astray still makes the last row of a pose.
        unknown = batch.available[offset] & pose.isnan().flatten(1).all(1)
        frames = [name for name, is_so in zip(batch.ids, unknown.tolist(), strict=True) if is_so]
        if frames:
            raise ValueError(
                f"the pose to frame {offset} is neither known nor predicted for "
                f"{', '.join(frames)}: add its calibration or, for motion, `pose:` to the recipe, "
                "or leave the frame out"
            )
    # The pose of an absent source is never looked at.
    motions = [pose[batch.available[offset]] for offset, pose in predictions.poses.items()]
    for name, tensors in (("depth", depths), ("motion", motions)):
        if not all(bool(tensor.isfinite().all()) for tensor in tensors):
            raise NonFiniteLoss(
                f"the network's {name} is not finite for frames {', '.join(batch.ids)}: lower the "
                "learning rate, or look at these frames"
            )
    for name, value in parts.items():
        if not torch.isfinite(value.sum).all():
            scales = [i for i, ok in enumerate(torch.isfinite(value.sum).tolist()) if not ok]
            raise NonFiniteLoss(
                f"objective.{name} is not finite at scale index {scales} for frames "
                f"{', '.join(batch.ids)}: lower the learning rate, or look at these frames"
            )


def pooled(value: LossValue) -> LossValue:
    """The share of this process in the mean over all processes.

    DDP averages gradients over ranks, so each rank's sum is scaled by the number of ranks and
    divided by the count of all: the average is then the masked mean over the whole batch,
    whichever rank the pixels that count happen to be on.
    """
    count = value.count.detach().clone()
    distributed.all_reduce(count)
    # `LossValue.mean` counts at least 1; an empty count stays empty on every rank alike.
    return replace(value, sum=value.sum * distributed.get_world_size(), count=count)
