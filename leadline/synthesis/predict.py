"""From a batch to predictions: depth of the target, motion to every source, features if asked."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.geometry.pose import invert_pose
from leadline.networks.brightness import BrightnessNetwork
from leadline.networks.depth import DepthModule
from leadline.networks.explaining_pose import ExplainingPose
from leadline.networks.features import FeatureAutoencoder, FeatureExtractor
from leadline.networks.pose import JointPoseNetwork
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.exposure import exposed_as_target
from leadline.types import Batch, FeatureMaps, Ordinal, Predictions

BRIGHTNESS, EXPLAINABILITY, PARTNER = "brightness", "explainability", "partner"
"""What networks for them make, as losses ask for it."""


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

    An `extractor` makes features of the target and its sources, for losses that compare these
    beside colours, or instead; of each frame once a step, and none where there is no source. A
    network for `brightness` says how the exposure changed from frame to frame, so that the change
    is taken out of the sources before their colours are compared.

    Parts of images that are shown larger make motion look different from what it is, and are
    refused where it is predicted, unless `zoomed_poses` says that motion and depth alike be taken
    for what they look like, as in [sfmlearner]: z times larger, a world z times nearer in which the
    camera goes forward by 1 / z. Exact for the way forward; sideways and turning looks faster.

    With `partner` the depth network looks at the stereo partner's picture too, so that terms can
    ask the same of both pictures, and whether they agree.
    """

    def __init__(
        self,
        depth: DepthModule,
        pose: nn.Module | None = None,
        extractor: FeatureExtractor | None = None,
        brightness: BrightnessNetwork | None = None,
        zoomed_poses: bool = False,
        partner: bool = False,
    ) -> None:
        super().__init__()
        self.partner = partner
        self.zoomed_poses = zoomed_poses
        self.depth = depth
        self.pose = pose
        self.extractor = extractor
        self.brightness = brightness
        self.makes = depth.makes | (frozenset() if extractor is None else extractor.makes)
        self.makes |= frozenset() if brightness is None else {BRIGHTNESS}
        if isinstance(pose, ExplainingPose) and pose.explains:
            self.makes |= {EXPLAINABILITY}
        self.makes |= {PARTNER} if partner else frozenset()
        """What losses may look at beside depth and pose."""

    def forward(self, batch: Batch) -> Predictions:
        intrinsics = None if batch.intrinsics is None else batch.intrinsics[TARGET]
        raw = self.depth(batch.inputs[TARGET], intrinsics)
        predicted, explainability = self._look(batch)
        metres: float | Tensor = batch.unit
        if batch.zoom is not None and not self.zoomed_poses:
            metres = batch.unit * batch.zoom[:, None, None, None]
        depth = {TARGET: {s: depth.float() * metres for s, depth in raw.depth.items()}}
        of_partner = raw.partner_depth
        if self.partner and of_partner is None and STEREO in batch.images:
            camera = None if batch.intrinsics is None else batch.intrinsics[STEREO]
            of_partner = self.depth(_present(batch.inputs, batch, STEREO), camera).depth
        if of_partner is not None and STEREO in batch.images:
            depth[STEREO] = {s: each.float() * metres for s, each in of_partner.items()}
        predictions = Predictions(
            depth=depth,
            poses={
                offset: _known_or(batch, offset, predicted.get(offset)) for offset in batch.sources
            },
            uncertainty=raw.uncertainty,
            photometric_uncertainty=raw.photometric_uncertainty,
            explainability=raw.explainability if explainability is None else explainability,
            ordinal=_ordinal_in_metres(raw.ordinal, metres),
        )
        if not batch.sources:
            return predictions
        if self.brightness is not None:
            predictions = replace(predictions, brightness=_brightness(self.brightness, batch))
        if self.extractor is None:
            return predictions
        with torch.no_grad():
            exposed = exposed_as_target(batch, predictions.brightness)
        if isinstance(self.extractor, FeatureAutoencoder) and self.extractor.learns:
            return _with_learnt_features(predictions, self.extractor, exposed)
        return replace(predictions, features=feature_maps(self.extractor, exposed))

    @property
    def partner_right(self) -> bool:
        """Whether the depth of a partner is said that is never seen, and must stand to the right
        [monodepth].
        """
        return PARTNER in self.depth.makes

    @property
    def predicts_motion(self) -> bool:
        """Whether motion in time need not be known."""
        return self.pose is not None

    def check(self, sources: Sequence[Offset]) -> None:
        """Refuse, before the first batch, sources that the pose network was not made for.

        Raises:
            ValueError: it sees all at once, and another number of them; or depth is taken for what
                it looks like beside a partner, whose place is known in metres.
        """
        if self.zoomed_poses and any(offset.camera for offset in sources):
            raise ValueError(
                "zoomed_poses: expected frames in time alone, got a partner, whose place does not "
                "look nearer in a part shown larger; leave out one of them"
            )
        seen = sum(offset.camera == 0 for offset in sources)
        wanted = self.pose.sources if isinstance(self.pose, JointPoseNetwork) else None
        if seen and wanted not in (None, seen):
            raise ValueError(
                f"pose: expected {wanted} frames in time beside the target in "
                f"`frames:`, as the network has, got {seen}"
            )

    def motions(self, batch: Batch) -> dict[Offset, Float[Tensor, "b 4 4"]]:
        """target_to_source in metres of every source of the target's own camera, by the pose
        network alone; none without one.

        Raises:
            ValueError: the batch is zoomed, and `zoomed_poses` is not set.
        """
        return self._look(batch)[0]

    def _look(
        self, batch: Batch
    ) -> tuple[dict[Offset, Float[Tensor, "b 4 4"]], Mapping[int, Float[Tensor, "b _ _ _"]] | None]:
        """Motions, and masks where the pose network makes them."""
        offsets = [offset for offset in batch.sources if offset.camera == 0]
        if self.pose is None or not offsets:
            return {}, None
        if batch.zoom is not None and not self.zoomed_poses:
            raise ValueError(
                "zoom: expected 1 with a pose network, got more: in parts of an image shown larger "
                "motion looks different from what it is; leave data.zoom at 1, or give the "
                "predictor `zoomed_poses: true`"
            )
        target = batch.inputs[TARGET]
        sources = [_present(batch.inputs, batch, offset) for offset in offsets]
        masks: Mapping[int, Float[Tensor, "b _ _ _"]] | None = None
        if isinstance(self.pose, ExplainingPose):
            seen = self.pose.look(target, sources)
            poses, masks = (
                [_in_metres(pose, batch.unit) for pose in seen.poses],
                seen.explainability,
            )
        elif isinstance(self.pose, JointPoseNetwork):
            poses = [_in_metres(pose, batch.unit) for pose in self.pose(target, sources)]
        else:
            poses = [
                predict_target_to_source(self.pose, target, source, offset, batch.unit)
                for offset, source in zip(offsets, sources, strict=True)
            ]
        return dict(zip(offsets, poses, strict=True)), masks


class FeatureLearning(nn.Module):
    """The predictor of a network that learns features and nothing else [featdepth]."""

    def __init__(self, extractor: FeatureAutoencoder) -> None:
        super().__init__()
        self.extractor = extractor
        self.makes = extractor.makes

    def forward(self, batch: Batch) -> Predictions:
        return _with_learnt_features(Predictions(depth={TARGET: {}}), self.extractor, batch)


def feature_maps(extractor: FeatureExtractor, batch: Batch) -> FeatureMaps:
    """Features of the clean target and sources, all frames in one look."""
    offsets = (TARGET, *batch.sources)
    images = torch.cat([_present(batch.images, batch, offset) for offset in offsets])
    return _by_frame(extractor, extractor.extract(images), offsets)


def _by_frame(
    extractor: FeatureExtractor, maps: Float[Tensor, "_ c _ _"], offsets: Sequence[Offset]
) -> FeatureMaps:
    by_frame = dict(zip(offsets, maps.chunk(len(offsets)), strict=True))
    return FeatureMaps(by_frame, extractor.grid.stride, extractor.grid.centre)


def _brightness(network: BrightnessNetwork, batch: Batch) -> dict[Offset, Float[Tensor, "b 2"]]:
    """Of each source, clean; the network is shown the earlier image first, and what it says of a
    later source is turned round.
    """
    target, found = batch.images[TARGET], {}
    for offset in batch.sources:
        source = _present(batch.images, batch, offset)
        if offset.time < 0:
            found[offset] = network(source, target)
        else:
            gain, added = network(target, source).unbind(1)
            found[offset] = torch.stack([1 / gain, -added / gain], dim=1)
    return found


def _with_learnt_features(
    predictions: Predictions, extractor: FeatureAutoencoder, batch: Batch
) -> Predictions:
    """With all that it says of the target, and the features of all frames from the same look."""
    sources = [_present(batch.images, batch, offset) for offset in batch.sources]
    learnt = extractor(batch.images[TARGET], torch.cat(sources) if sources else None)
    return replace(
        predictions,
        features=_by_frame(extractor, learnt.compared, (TARGET, *batch.sources)),
        feature_pyramid=learnt.pyramid,
        reconstruction=learnt.reconstruction,
    )


def _present(
    images: Mapping[Offset, Float[Tensor, "b 3 h w"]], batch: Batch, offset: Offset
) -> Float[Tensor, "b 3 h w"]:
    """An absent source is black: the target stands in, so that norms see photographs only."""
    return images[offset].where(batch.available[offset][:, None, None, None], images[TARGET])


def _ordinal_in_metres(
    ordinal: Ordinal | None, metres: float | Float[Tensor, "b 1 1 1"]
) -> Ordinal | None:
    if ordinal is None:
        return None
    unit = metres if isinstance(metres, float) else metres.flatten(1)
    return replace(ordinal, thresholds=ordinal.thresholds * unit)


def _known_or(
    batch: Batch, offset: Offset, predicted: Float[Tensor, "b 4 4"] | None
) -> Float[Tensor, "b 4 4"]:
    """target_to_source where the batch knows it, else as predicted."""
    known = batch.known_poses.get(offset)
    if known is None:
        known = torch.full((len(batch), 4, 4), torch.nan, device=batch.device)
    if predicted is not None:
        return known.where(~known.isnan(), predicted)
    # The pose of an absent source is never looked at, but NaN would spread. That of a present one
    # stays NaN, for `training_step` to complain of.
    return known.where(batch.available[offset][:, None, None], 0.0)


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
