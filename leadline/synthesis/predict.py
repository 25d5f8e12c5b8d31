"""From a batch to predictions: depth of the target, motion to every source."""

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.pose import invert_pose
from leadline.networks.depth import DepthNetwork
from leadline.types import TARGET, Batch, Offset, Predictions


@runtime_checkable
class PoseNetwork(Protocol):
    """Two images in order of time -> the motion of the camera between them, in network units."""

    def __call__(
        self, earlier: Float[Tensor, "b 3 h w"], later: Float[Tensor, "b 3 h w"]
    ) -> Float[Tensor, "b 4 4"]: ...


class DepthAndPose(nn.Module):
    """The default predictor: depth of the target, and pose wherever the batch knows none.

    Whether a pose is data or prediction is asked of each sample and source, never of the recipe:
    mono, stereo and mixed training are this one code path. Whether the pose network runs is
    decided by the recipe alone, for every source of the target's own camera: processes that train
    together must not differ in that, and a GPU is not asked what it holds.
    """

    def __init__(self, depth: DepthNetwork, pose: nn.Module | None = None) -> None:
        super().__init__()
        self.depth = depth
        self.pose = pose
        self.makes = depth.makes
        """What losses may look at beside depth and pose."""

    def forward(self, batch: Batch) -> Predictions:
        intrinsics = None if batch.intrinsics is None else batch.intrinsics[TARGET]
        raw = self.depth(batch.inputs[TARGET], intrinsics)
        metres = batch.unit if batch.zoom is None else batch.unit * batch.zoom[:, None, None, None]
        return Predictions(
            depth={TARGET: {s: depth.float() * metres for s, depth in raw.depth.items()}},
            poses={offset: self._target_to_source(batch, offset) for offset in batch.sources},
            uncertainty=raw.uncertainty,
            explainability=raw.explainability,
        )

    def _target_to_source(self, batch: Batch, offset: Offset) -> Float[Tensor, "b 4 4"]:
        present = batch.available[offset][:, None, None]
        known = batch.known_poses.get(offset)
        if known is None:
            known = torch.full((len(batch), 4, 4), torch.nan, device=batch.device)
        if self.pose is None or offset.camera != 0:
            # The pose of an absent source is never looked at, but NaN would spread. That of a
            # present one stays NaN, for `training_step` to complain of.
            return known.where(present, 0.0)
        if batch.zoom is not None:
            raise ValueError(
                "zoom: expected 1 with a pose network, got more: in parts of an image shown larger "
                "motion looks different from what it is; leave data.zoom at 1"
            )
        # An absent source is black: the target stands in, so that batch norm sees photographs only.
        source = batch.inputs[offset].where(present[..., None], batch.inputs[TARGET])
        predicted = predict_target_to_source(
            self.pose, batch.inputs[TARGET], source, offset, batch.unit
        )
        return known.where(~known.isnan(), predicted)


def predict_target_to_source(
    network: PoseNetwork,
    target: Float[Tensor, "b 3 h w"],
    source: Float[Tensor, "b 3 h w"],
    offset: Offset,
    unit: float,
) -> Float[Tensor, "b 4 4"]:
    """Motion of one camera from target to source, the network always being shown the earlier image
    first.

    One direction of time halves what the network has to learn [monodepth2]: for a source in the
    past it predicts source_to_target, which is inverted. Translation is in units of `unit` metres.
    """
    if offset.time < 0:
        return invert_pose(_in_metres(network(source, target), unit))
    return _in_metres(network(target, source), unit)


def _in_metres(pose: Float[Tensor, "b 4 4"], unit: float) -> Float[Tensor, "b 4 4"]:
    scale = pose.new_ones(4, 4)
    scale[:3, 3] = unit
    return pose.float() * scale
