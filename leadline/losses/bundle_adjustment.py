"""Supervision by true poses, as BA-Net is trained with beside `DepthResidual` [ba-net].

The weights that the four terms have in the paper are not known here. With rotation 300, translation
1, flow 0.1 and depth 1 each is of the order of 0.1 to 1 for errors of 3 degrees, half a network
unit, 5 pixels and half a network unit: a beginning, not a result.
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.geometry.warp import inside, reproject
from leadline.losses.term import Need, Term
from leadline.losses.true_depth import true_depth
from leadline.offset import TARGET, Offset
from leadline.types import Batch, LossValue, Scene


class PoseRotation(Term):
    """Mean over sources and samples of 1 - |q . q*|, the cosine distance of quaternions [ba-net].

    That is 1 - cos(a / 2) for rotations that are an angle a apart, and is taken from |R - R*|^2 = 8
    sin(a / 2)^2: cosines near 1 would round small angles away. Poses that are not known do not
    count.
    """

    needs = frozenset[Need]({"true_poses"})

    def forward(self, scene: Scene) -> LossValue:
        return _mean_over_poses(scene, _quaternion_distance)


class PoseTranslation(Term):
    """Mean over sources and samples of |t - t*|_1, in network units [ba-net].

    Poses that are not known do not count.
    """

    needs = frozenset[Need]({"true_poses"})
    gives_scale = True

    def forward(self, scene: Scene) -> LossValue:
        unit = scene.batch.unit

        def distance(
            pose: Float[Tensor, "b 4 4"], truth: Float[Tensor, "b 4 4"]
        ) -> Float[Tensor, "b"]:
            return (pose - truth)[:, :3, 3].abs().sum(-1) / unit

        return _mean_over_poses(scene, distance)


class FlowConsistency(Term):
    """How far from where the truth moves a pixel the predicted depth and motion move it [ba-net].

    |pi(d, T) - pi(d*, T*)|_1 in pixels, mean over pixels of known depth that truly lie in a source
    whose pose is known, at every scale of depth. Depth and translation that are wrong by the same
    factor move pixels alike: what scale is, others must say. No pixel counts as further away than
    the image is wide and high, so that one point at the source's centre cannot outweigh all others.
    """

    needs = frozenset[Need]({"true_poses", "depth"})

    def forward(self, scene: Scene) -> LossValue:
        batch, depth = scene.batch, true_depth(scene)
        if batch.intrinsics is None:
            raise ValueError("flow needs intrinsics, and this data set has none")
        measured = depth > 0
        farthest = sum(batch.size)
        inverse_truth = 1 / depth.where(measured, 1.0)
        sums = {scale: depth.new_zeros(()) for scale in scene.errors.depth}
        count = depth.new_zeros(())
        for index, offset in enumerate(batch.sources):
            if offset not in batch.known_poses:
                continue
            cameras = batch.intrinsics[TARGET], batch.intrinsics[offset]
            truth, known = _true_pose(batch, offset)
            there, in_front = reproject(inverse_truth, truth, *cameras)
            counted = measured & in_front & inside(there, batch.size) & known[:, None, None, None]
            counted = counted & scene.errors.valid[:, index : index + 1]
            count = count + counted.sum()
            for scale, predicted in scene.errors.depth.items():
                found, _ = reproject(1 / predicted, scene.predictions.poses[offset], *cameras)
                error = (found - there).abs().sum(1, keepdim=True).clamp(max=farthest)
                sums[scale] = sums[scale] + error.where(counted, 0.0).sum()
        return LossValue(torch.stack(list(sums.values())), count.expand(len(sums)))


def _quaternion_distance(
    pose: Float[Tensor, "b 4 4"], truth: Float[Tensor, "b 4 4"]
) -> Float[Tensor, "b"]:
    sine = (pose - truth)[:, :3, :3].square().sum((1, 2)) / 8
    # 1 - sqrt(1 - s); at half a turn the root has no gradient to speak of.
    cosine = (1 - sine).clamp(min=torch.finfo(sine.dtype).eps).sqrt()
    return sine / (1 + cosine)


def _mean_over_poses(scene: Scene, distance: Callable[[Tensor, Tensor], Tensor]) -> LossValue:
    """Of the distance of each predicted pose from the true one, where that is known."""
    batch = scene.batch
    total = batch.images[TARGET].new_zeros(1)
    count = torch.zeros_like(total)
    for offset in batch.sources:
        if offset not in batch.known_poses:
            continue
        truth, known = _true_pose(batch, offset)
        error = distance(scene.predictions.poses[offset], truth)
        total = total + error.where(known, 0.0).sum()
        count = count + known.sum()
    return LossValue(total, count)


def _true_pose(batch: Batch, offset: Offset) -> tuple[Float[Tensor, "b 4 4"], Bool[Tensor, "b"]]:
    """target_to_source, and for which samples it is known; for others nothing moves."""
    truth = batch.known_poses[offset]
    known = batch.available[offset] & truth.isfinite().flatten(1).all(1)
    still = torch.eye(4, dtype=truth.dtype, device=truth.device)
    return truth.where(known[:, None, None], still), known
