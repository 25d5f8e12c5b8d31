"""BA-Net [ba-net]: depth and motion of a few views by bundle adjustment on learned features.

It is a predictor by itself, from batch to predictions: its motions come from the depth that it
adjusts with them.
"""

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.grid import IMAGE, Grid
from leadline.geometry.pose import pose_from_rotvec
from leadline.geometry.ranges import depth_to_range, range_to_depth
from leadline.networks.backbone import Backbone
from leadline.networks.bundle_adjustment import BundleAdjustment, Level, RangeMaps
from leadline.networks.depth_basis import DepthBasis
from leadline.networks.feature_pyramid import LEVELS, WIDTH, FeaturePyramid
from leadline.networks.heads import apply_in_full_precision
from leadline.networks.pose import MOTION, MOTION_SCALE
from leadline.networks.weights import Weights
from leadline.offset import TARGET, Offset
from leadline.types import Batch, Predictions


class BANet(nn.Module):
    """Depth of the target and motion to every source of a batch, each from the other [ba-net].

    One backbone sees all frames. From the target's maps come a first depth and the basis of what
    may be added to it, at the finest stride. A pyramid of features of all frames, at strides 4, 8
    and 16, is what `BundleAdjustment` makes agree, from no motion on. Depth is said at the size of
    the image. Poses that the batch knows are not looked at: they are the truth that losses compare
    with. A batch without sources gets the first depth.

    Departure: the backbone of the paper is DRN-54, this takes any; its depth is range cut off at 0,
    this is bounded, see `DepthBasis`. What the layer moves beyond the bounds is set on them.

    Args:
        backbone: name of the backbone, see `Backbone`.
        weights: `hub`, `none` (random) or a folder with model.safetensors.
        bundle_adjustment: without, the same network says its first depth, and a few convolutions
            over the features of target and source a motion.
        iterations: steps at each of the three levels.
        joint_levels: the finest levels at which depth is adjusted too, by default all; 0 leaves the
            first depth as it is.
        joint_damping: how much more than motions depth is damped, see `BundleAdjustment`.
        minimum_depth: least depth, in network units.
        maximum_depth: greatest depth, in network units.
        initial_depth: what the network sees, about, before it has learnt anything, in network
            units.

    Raises:
        ValueError: the range is empty, or the backbone or the steps cannot be built as asked.
        FileNotFoundError: the weights are not where they should be.
    """

    looks_at_sources = True
    """A target with sources has another depth than one alone."""
    predicts_motion = True
    """Motion in time need not be known."""

    def __init__(
        self,
        backbone: str,
        weights: Weights,
        bundle_adjustment: bool = True,
        iterations: int = 5,
        joint_levels: int | None = None,
        joint_damping: float = 1.0,
        minimum_depth: float = 0.1,
        maximum_depth: float = 100.0,
        initial_depth: float | None = None,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(backbone, weights)
        grids, channels = self.backbone.grids, self.backbone.channels
        self.depth = DepthBasis(grids, channels, minimum_depth, maximum_depth, initial_depth)
        self.features = FeaturePyramid(grids, channels)
        self.adjustment: BundleAdjustment | None = None
        self.motion: _Motion | None = None
        if bundle_adjustment:
            self.adjustment = BundleAdjustment(
                WIDTH, len(LEVELS), iterations, joint_levels, joint_damping
            )
        else:
            self.motion = _Motion(len(LEVELS))

    def forward(self, batch: Batch) -> Predictions:
        """Depth and poses in metres.

        Raises:
            ValueError: sources without cameras, or shown larger than the others to a network
                without bundle adjustment.
        """
        maps = self._maps(batch)
        depth, basis = self.depth([x[: len(batch)] for x in maps], batch.size)
        poses: Mapping[Offset, Tensor] = {}
        if batch.sources:
            features = self._features(maps, batch)
            if self.adjustment is not None:
                # Cameras and rays in half precision would be off by pixels.
                with torch.autocast(batch.device.type, enabled=False):
                    depth, poses = self._adjusted(self.adjustment, batch, depth, basis, features)
            elif self.motion is not None:
                poses = _regressed(self.motion, batch, features)
        metres = torch.full((len(batch),), batch.unit, device=batch.device)
        if batch.zoom is not None:
            metres = metres * batch.zoom
        inverse = self.depth.grid.resampled(1 / depth, IMAGE, batch.size)
        return Predictions(
            depth={TARGET: {0: metres[:, None, None, None] / inverse}},
            poses={offset: _times(pose, metres) for offset, pose in poses.items()},
        )

    def levels(self, batch: Batch) -> list[Level]:
        """Features of target and sources, coarse to fine, as `BundleAdjustment` takes them.

        Raises:
            ValueError: there are no cameras.
        """
        return _levels(self._features(self._maps(batch), batch), self.features.grids, batch)

    def _maps(self, batch: Batch) -> list[Float[Tensor, "_ _ _ _"]]:
        """Those of the backbone: of the targets, then of each source in turn."""
        target = batch.inputs[TARGET]
        # An absent source is black: the target stands in, so that norms see photographs only.
        others = [
            batch.inputs[offset].where(batch.available[offset][:, None, None, None], target)
            for offset in batch.sources
        ]
        maps: list[Tensor] = self.backbone(torch.cat([target, *others]))
        return maps

    def _features(
        self, maps: Sequence[Float[Tensor, "_ _ _ _"]], batch: Batch
    ) -> list[Float[Tensor, "_ b c _ _"]]:
        """Fine to coarse, the target before its sources."""
        frames = (1 + len(batch.sources), len(batch))
        return [
            grid.cropped(x, batch.size).unflatten(0, frames)
            for grid, x in zip(self.features.grids, self.features(maps), strict=True)
        ]

    def _adjusted(
        self,
        adjustment: BundleAdjustment,
        batch: Batch,
        depth: Float[Tensor, "b 1 h w"],
        basis: Float[Tensor, "b k h w"],
        features: Sequence[Float[Tensor, "_ b c _ _"]],
    ) -> tuple[Float[Tensor, "b 1 h w"], dict[Offset, Float[Tensor, "b 4 4"]]]:
        """Depth and poses that make the features of target and sources agree, in network units."""
        levels = _levels(features, self.features.grids, batch)
        camera_of_depth = self.depth.grid.intrinsics(_cameras(batch)[TARGET])
        ranges = RangeMaps(depth_to_range(depth, camera_of_depth), basis, camera_of_depth)
        available = torch.stack([batch.available[offset] for offset in batch.sources], dim=1)
        poses, weights = adjustment(levels, ranges, available=available)
        adjusted = range_to_depth(ranges.adjusted(weights), camera_of_depth)
        bounded = adjusted.clamp(self.depth.minimum_depth, self.depth.maximum_depth)
        return bounded, dict(zip(batch.sources, poses.unbind(1), strict=True))


def _levels(
    features: Sequence[Float[Tensor, "_ b c _ _"]], grids: Sequence[Grid], batch: Batch
) -> list[Level]:
    """Coarse to fine, from features that come fine to coarse."""
    intrinsics = _cameras(batch)
    camera = intrinsics[TARGET]
    cameras = torch.stack([intrinsics[offset] for offset in batch.sources], dim=1)
    levels = [
        Level(x[0], x[1:].transpose(0, 1), grid.intrinsics(camera), grid.intrinsics(cameras))
        for grid, x in zip(grids, features, strict=True)
    ]
    return levels[::-1]


def _cameras(batch: Batch) -> Mapping[Offset, Float[Tensor, "b 3 3"]]:
    if batch.intrinsics is None:
        raise ValueError("bundle adjustment needs intrinsics, and this data set has none")
    return batch.intrinsics


class _Motion(nn.Module):
    """The plain way from features to a motion: those of target and source side by side, averaged to
    the coarsest grid; two 3x3 convolutions with ReLU, 1x1, mean over the image, times 0.01.

    It reads all levels, so that bundle adjustment and this train the same pyramid.
    """

    def __init__(self, levels: int) -> None:
        super().__init__()
        self.hidden = nn.Sequential(
            nn.Conv2d(2 * levels * WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
            nn.ReLU(inplace=True),
        )
        self.motion = nn.Conv2d(WIDTH, MOTION, 1)

    def forward(
        self,
        target: Sequence[Float[Tensor, "b c _ _"]],
        source: Sequence[Float[Tensor, "b c _ _"]],
    ) -> Float[Tensor, "b 4 4"]:
        """target_to_source in network units, from features fine to coarse."""
        size = (target[-1].shape[-2], target[-1].shape[-1])
        averaged = [functional.adaptive_avg_pool2d(x, size) for x in (*target, *source)]
        outputs = apply_in_full_precision(self.motion, self.hidden(torch.cat(averaged, dim=1)))
        motion = MOTION_SCALE * outputs.mean(dim=(2, 3))
        with torch.autocast(motion.device.type, enabled=False):
            return pose_from_rotvec(motion[:, :3], motion[:, 3:])


def _regressed(
    motion: _Motion, batch: Batch, features: Sequence[Float[Tensor, "_ b c _ _"]]
) -> dict[Offset, Float[Tensor, "b 4 4"]]:
    if batch.zoom is not None:
        raise ValueError(
            "zoom: expected 1 without bundle adjustment, got more: in parts of an image shown "
            "larger motion looks different from what it is; leave data.zoom at 1"
        )
    return {
        offset: motion([x[0] for x in features], [x[1 + index] for x in features])
        for index, offset in enumerate(batch.sources)
    }


def _times(pose: Float[Tensor, "b 4 4"], unit: Float[Tensor, "b"]) -> Float[Tensor, "b 4 4"]:
    """The pose with its translation in metres, given those of each sample's unit."""
    scale = pose.new_ones(len(pose), 4, 4)
    scale[:, :3, 3] = unit[:, None]
    return pose * scale
