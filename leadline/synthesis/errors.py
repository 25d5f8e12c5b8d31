"""One question, asked once: how well does each explanation of the target explain each pixel?

The explanations are the predicted warps, of colours or of learned features, the source as it stands
(identity), and the hint's warp.
Losses and pictures read and reduce these errors; nothing else warps or compares images.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.geometry.depth import Enlarging, to_full_size
from leadline.geometry.warp import Padding, Warp, warp_by_depth, warp_by_inverse_depth
from leadline.offset import STEREO, TARGET, Offset
from leadline.photometry.constants import SSIM_WEIGHT
from leadline.photometry.error import Absolute, photometric_errors, whole_windows
from leadline.synthesis.exposure import exposed_as_target
from leadline.synthesis.feature_errors import ALL_OF_IT, warped_feature_errors
from leadline.synthesis.own_scale import batch_at_scale, predictions_at_scale
from leadline.types import Batch, Errors, Predictions

Explanation = Literal["predicted", "identity", "hint", "features", "warped"]
"""What may be asked for; `warped` keeps the predicted warps themselves, for pictures."""

TIE_BREAKER = 1e-5
"""Spread of the noise on identity errors [monodepth2]: where a prediction merely copies the source,
as at the start of training, neither explanation should win everywhere."""

FULL_SIZE_ONLY: frozenset[Explanation] = frozenset({"identity", "hint", "features"})
"""What is judged at the size of the images alone."""
HINT_SOURCE = STEREO
"""A hint comes from the stereo pair, and is judged on it."""


@dataclass(frozen=True)
class Explainer:
    """How explanations are judged: the share of SSIM, the form of absolute differences, what lies
    beyond the border of a source, and how coarse depth is brought to full size.

    `judged_at: own` judges the warps of each scale at that scale's own size, against images whose
    pixels are means, as [sfmlearner] and [monodepth] do; only predicted warps are judged then.
    `absolute: robust_l1` takes sqrt((a - b)^2 + 1e-6) for |a - b| [featdepth], of colours and of
    features.

    Raises:
        ValueError: a share of SSIM that is none.
    """

    ssim_weight: float = SSIM_WEIGHT
    absolute: Absolute = "l1"
    padding: Padding = "border"
    enlarging: Enlarging = "bilinear"
    judged_at: Literal["full", "own"] = "full"

    def __post_init__(self) -> None:
        if not 0 <= self.ssim_weight <= 1:
            raise ValueError(f"ssim_weight: expected a share from 0 to 1, got {self.ssim_weight}")

    def __call__(
        self, batch: Batch, predictions: Predictions, wanted: Collection[Explanation]
    ) -> Errors:
        """Errors of the wanted explanations; predicted warps are judged at every scale.

        All scales are judged at full size against the full image [monodepth2], unless the settings
        say otherwise. Always in float32:
        projected coordinates and variances do not survive half precision.

        Raises:
            ValueError: the batch lacks what is wanted (no hint, no stereo source, no intrinsics).
        """
        with torch.autocast(batch.device.type, enabled=False):
            if self.judged_at == "own":
                return self._explain_at_own_scales(batch, predictions, wanted)
            return self._explain(batch, predictions, wanted)

    def check(self, wanted: Collection[str]) -> None:
        """Refuse, before the first batch, what is not judged as the settings have it.

        Raises:
            ValueError: terms look at more than predicted warps, judged at scales of their own.
        """
        others = sorted(FULL_SIZE_ONLY.intersection(wanted))
        if self.judged_at == "own" and others:
            raise ValueError(
                f"explainer.judged_at: expected full where terms look at {', '.join(others)}, got "
                "own; change it, or the terms"
            )

    def _explain_at_own_scales(
        self, batch: Batch, predictions: Predictions, wanted: Collection[Explanation]
    ) -> Errors:
        """The errors of the predicted warps of each scale at its own size; depth at full size."""
        self.check(wanted)
        plain = replace(self, judged_at="full")
        errors = plain._explain(batch, predictions, ())
        found = {}
        for scale, depth in predictions.depth[TARGET].items():
            size = (depth.shape[-2], depth.shape[-1])
            small = batch_at_scale(batch, scale, size)
            found[scale] = plain._explain(small, predictions_at_scale(predictions, scale), wanted)
        if "predicted" not in wanted and "warped" not in wanted:
            return errors
        return replace(
            errors,
            predicted={s: e.predicted[0] for s, e in found.items() if e.predicted is not None},
            predicted_valid={s: e.warps_valid(0) for s, e in found.items()},
            warped=(
                {s: e.warped[0] for s, e in found.items() if e.warped is not None}
                if "warped" in wanted
                else None
            ),
        )

    def _explain(
        self, batch: Batch, predictions: Predictions, wanted: Collection[Explanation]
    ) -> Errors:
        batch = exposed_as_target(batch, predictions.brightness)
        inverse_depth = {
            s: to_full_size(1 / d, s, batch.size, self.enlarging)
            for s, d in predictions.depth[TARGET].items()
        }
        depth = {s: 1 / inverse for s, inverse in inverse_depth.items()}
        errors = Errors(
            depth=depth, valid=_valid(batch, batch.sources), hint_valid=_where_hinted(batch)
        )
        if "predicted" in wanted or "warped" in wanted:
            inverse = list(inverse_depth.values())
            warp = _warp_all(batch, batch.images, predictions, inverse, self.padding)
            errors = self._with_predicted(errors, batch, warp, keep="warped" in wanted)
            if batch.in_picture:
                valid = _valid_warps(batch, predictions, inverse_depth, errors.valid)
                errors = replace(errors, predicted_valid=valid)
        if "identity" in wanted:
            errors = replace(errors, identity=self._identity_errors(batch))
            if batch.in_picture:
                errors = replace(errors, identity_valid=_valid_identities(batch, errors.valid))
        if "hint" in wanted:
            errors = replace(errors, hint=self._hint_error(batch))
            if batch.in_picture and errors.hint_valid is not None:
                errors = replace(errors, hint_valid=errors.hint_valid & _valid_hint_warp(batch))
        if "features" in wanted:
            finest = inverse_depth[min(inverse_depth)]
            found = warped_feature_errors(
                batch, predictions, finest, errors.valid, self.padding, self.absolute
            )
            errors = replace(errors, features=found.error, features_valid=found.valid)
        return errors

    def _photometric(
        self, explanations: Float[Tensor, "n b 3 h w"], batch: Batch
    ) -> Float[Tensor, "n b h w"]:
        return photometric_errors(
            explanations, batch.images[TARGET], self.ssim_weight, self.absolute
        )

    def _with_predicted(self, errors: Errors, batch: Batch, warp: Warp, keep: bool) -> Errors:
        """The errors with those of the predicted warps, which are stacked as (n s b)."""
        scales = tuple(errors.depth)
        stack = (len(batch.sources), len(scales), len(batch))
        images = warp.image.unflatten(0, stack)
        error = self._photometric(images.flatten(0, 1), batch)
        by_scale = error.unflatten(0, stack[:2]).transpose(0, 2).unbind(1)
        return replace(
            errors,
            predicted=dict(zip(scales, by_scale, strict=True)),
            warped=(
                {s: images[:, k].transpose(0, 1).detach() for k, s in enumerate(scales)}
                if keep
                else None
            ),
        )

    def _identity_errors(self, batch: Batch) -> Float[Tensor, "b n h w"]:
        """Errors of the sources as they stand: least where nothing moves relative to the camera."""
        sources = torch.stack([batch.images[offset] for offset in batch.sources])
        errors = self._photometric(sources, batch)
        return errors.transpose(0, 1) + TIE_BREAKER * counted_noise(batch)

    def _hint_error(self, batch: Batch) -> Float[Tensor, "b 1 h w"]:
        """Error of the stereo partner warped by the hint; without meaning where there is none."""
        if batch.hint is None or HINT_SOURCE not in batch.images:
            raise ValueError(
                "the objective looks at hints, but the batch has "
                + ("no hints: give `hints:` a folder" if batch.hint is None else "no stereo frame")
            )
        with torch.no_grad():
            warp = _warp_by_hint(batch, batch.images[HINT_SOURCE], batch.hint, self.padding)
            error = self._photometric(warp.image[None], batch)
        return error.transpose(0, 1)


PUBLISHED_EXPLAINER = Explainer()
"""As in [monodepth2] and [depth-hints]."""


def _known_pose(batch: Batch, offset: Offset) -> Float[Tensor, "b 4 4"]:
    if offset not in batch.known_poses:
        raise ValueError(f"hints need the pose of frame {offset} from calibration; there is none")
    return batch.known_poses[offset].nan_to_num()


def _warp_by_hint(
    batch: Batch,
    partner: Float[Tensor, "b c h w"],
    hint: Float[Tensor, "b 1 h w"],
    padding: Padding,
) -> Warp:
    """The stereo partner, or what lies on its pixels, as the hint says that the target sees it."""
    if batch.intrinsics is None:
        raise ValueError("view synthesis needs intrinsics, and this data set has none")
    return warp_by_depth(
        partner,
        # A missing hint is warped at one unit of depth and masked: infinity would spread as NaN.
        hint.where(hint > 0, batch.unit),
        _known_pose(batch, HINT_SOURCE),
        batch.intrinsics[TARGET],
        batch.intrinsics[HINT_SOURCE],
        padding,
    )


def _warp_all(
    batch: Batch,
    images: Mapping[Offset, Float[Tensor, "b c h w"]],
    predictions: Predictions,
    inverse_depths: list[Tensor],
    padding: Padding,
) -> Warp:
    """The image of every source, or what else lies on its pixels, warped by every depth in one call
    of the sampler: (n s b) along the batch axis.
    """
    if batch.intrinsics is None:
        raise ValueError("view synthesis needs intrinsics, and this data set has none")
    sources, scales = batch.sources, len(inverse_depths)
    source_intrinsics = [batch.intrinsics[offset].repeat(scales, 1, 1) for offset in sources]
    return warp_by_inverse_depth(
        torch.cat([images[offset].repeat(scales, 1, 1, 1) for offset in sources]),
        torch.cat(inverse_depths).repeat(len(sources), 1, 1, 1),
        torch.cat([predictions.poses[offset].repeat(scales, 1, 1) for offset in sources]),
        batch.intrinsics[TARGET].repeat(scales * len(sources), 1, 1),
        torch.cat(source_intrinsics),
        padding,
    )


def _where_hinted(batch: Batch) -> Bool[Tensor, "b 1 h w"] | None:
    """Where there is a hint, a source to judge it by, and a loss mask that allows a look."""
    if batch.hint is None or HINT_SOURCE not in batch.images:
        return None
    return (batch.hint > 0) & _valid(batch, (HINT_SOURCE,))


def _valid(batch: Batch, sources: tuple[Offset, ...]) -> Bool[Tensor, "b n h w"]:
    """Whether each source exists and the loss mask allows each pixel."""
    if not sources:
        return batch.images[TARGET].new_zeros((len(batch), 0, *batch.size), dtype=torch.bool)
    available = torch.stack([batch.available[offset] for offset in sources], dim=1)
    valid = available[:, :, None, None].expand(-1, -1, *batch.size)
    return valid if batch.loss_mask is None else valid & batch.loss_mask


def _valid_warps(
    batch: Batch,
    predictions: Predictions,
    inverse_depth: Mapping[int, Tensor],
    valid: Bool[Tensor, "b n h w"],
) -> dict[int, Bool[Tensor, "b n h w"]]:
    """By scale, where `valid` warps compare nothing but what cameras saw, in target and source."""
    masks = {offset: mask.float() for offset, mask in batch.in_picture.items()}
    with torch.no_grad():
        # Beyond the border of a source its mask goes on, as its colours do.
        warp = _warp_all(batch, masks, predictions, list(inverse_depth.values()), "border")
    seen = warp.image.unflatten(0, (len(batch.sources), len(inverse_depth), len(batch)))
    seen = (seen[:, :, :, 0] > ALL_OF_IT).permute(1, 2, 0, 3, 4)
    valid = valid & whole_windows(batch.in_picture[TARGET])
    return {s: valid & whole_windows(seen[k]) for k, s in enumerate(inverse_depth)}


def _valid_identities(batch: Batch, valid: Bool[Tensor, "b n h w"]) -> Bool[Tensor, "b n h w"]:
    """The same of the sources as they stand."""
    seen = [batch.in_picture[offset] for offset in (TARGET, *batch.sources)]
    target, *sources = (whole_windows(mask) for mask in seen)
    return valid & target & torch.cat(sources, dim=1)


def _valid_hint_warp(batch: Batch) -> Bool[Tensor, "b 1 h w"]:
    """The same of the warp by the hint."""
    if batch.hint is None:
        raise ValueError("there is no hint to warp by")
    partner = batch.in_picture[HINT_SOURCE].float()
    seen = _warp_by_hint(batch, partner, batch.hint, "border").image > ALL_OF_IT
    return whole_windows(seen) & whole_windows(batch.in_picture[TARGET])


def counted_noise(batch: Batch) -> Float[Tensor, "b n h w"]:
    """Normal noise drawn from each sample's own seed: the same however the samples are batched."""
    shape = (len(batch.sources), *batch.size)
    generator = torch.Generator(batch.device)
    seeds = [0] * len(batch) if batch.seeds is None else batch.seeds.tolist()
    draws = [
        torch.randn(shape, generator=generator.manual_seed(seed), device=batch.device)
        for seed in seeds
    ]
    return torch.stack(draws)
