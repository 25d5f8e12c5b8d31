"""Learned features: compared across frames, and what makes them worth comparing [featdepth]."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.depth import to_scale
from leadline.losses.explanations import Reduction, over_sources
from leadline.losses.roughness import edge_weighted_curvature, edge_weighted_slope
from leadline.losses.term import Need, Term
from leadline.offset import TARGET
from leadline.photometry.constants import SSIM_WEIGHT
from leadline.photometry.error import photometric_errors
from leadline.types import LossValue, Scene


class FeatureReprojection(Term):
    """Mean over the pixels of the features of the least (or mean) difference over sources
    [featdepth]; with `reduction: mean` and absolute differences that of [dfr].

    L = mean_p min_n mean_c |F_t - F_n->t|. Where colours are the same all over a wall, features may
    still tell how far off a warp is.
    """

    needs = frozenset[Need]({"features"})

    def __init__(self, reduction: Reduction = "min") -> None:
        super().__init__()
        self.reduction: Reduction = reduction

    def forward(self, scene: Scene) -> LossValue:
        errors, valid = scene.errors.features, scene.errors.features_valid
        if errors is None or valid is None:
            raise ValueError("the warped features were not asked for")
        error, any_valid = over_sources(errors, valid, self.reduction)
        return LossValue(error.sum()[None], any_valid.sum()[None].to(error.dtype))


class Reconstruction(Term):
    """Photometric error of the picture that a network paints from its features, at every scale
    [featdepth]: 0.85 SSIM + 0.15 sqrt((a - b)^2 + 1e-6) against the picture at that size, which is
    the means over its pixels. Where the loss mask forbids a look at one of these, nothing counts.
    """

    needs = frozenset[Need]({"reconstruction"})

    def __init__(self, ssim_weight: float = SSIM_WEIGHT) -> None:
        super().__init__()
        self.ssim_weight = ssim_weight

    def forward(self, scene: Scene) -> LossValue:
        painted = scene.predictions.reconstruction
        if painted is None:
            raise ValueError("the predictor paints no picture; see `Objective.check`")
        sums, counts, maps = [], [], {}
        for scale, picture in painted.items():
            wanted = _shrunk(scene.batch.images[TARGET], scale, picture)
            error = photometric_errors(picture.float()[None], wanted, self.ssim_weight, "robust_l1")
            if scene.batch.loss_mask is None:
                counts.append(error.new_full((), float(error.numel())))
            else:
                allowed = _shrunk(scene.batch.loss_mask.float(), scale, picture)[:, 0] == 1
                error = error.where(allowed, 0.0)
                counts.append(allowed.sum().to(error.dtype))
            sums.append(error.sum())
            maps[f"reconstruction_{scale}"] = picture.detach()
        return LossValue(torch.stack(sums), torch.stack(counts), maps)


class FeatureSlope(Term):
    """The discriminative loss [featdepth]: features should change wherever the picture does not.

    L = mean over maps i of -D1(F_i) / 2^i, D1 = mean |dx F| exp(-mean_c |dx I|) + the same along y,
    with the picture at the size of the map. Negative: large slopes are the aim, so that a warp that
    is off is told so also where colours are alike.
    """

    needs = frozenset[Need]({"feature_pyramid"})

    def forward(self, scene: Scene) -> LossValue:
        return _over_maps(scene, lambda maps, image: -edge_weighted_slope(maps, image))


class FeatureCurvature(Term):
    """The convergent loss [featdepth]: features should change evenly, so that the way down to the
    right warp is long and has no holes on it.

    L = mean over maps i of D2(F_i) / 2^i, D2 = sum over xx, xy, yx, yy of mean |d2 F| exp(-mean_c
    |d2 I|).
    """

    needs = frozenset[Need]({"feature_pyramid"})

    def forward(self, scene: Scene) -> LossValue:
        return _over_maps(scene, edge_weighted_curvature)


def _over_maps(scene: Scene, measure: Callable[[Tensor, Tensor], Tensor]) -> LossValue:
    """The measure of every map, each half as heavy as the next finer one."""
    pyramid = scene.predictions.feature_pyramid
    if pyramid is None:
        raise ValueError("the predictor learns no features; see `Objective.check`")
    image = scene.batch.images[TARGET]
    sums = [
        measure(maps.float(), _shrunk(image, stride.bit_length() - 1, maps)).sum() / 2**i
        for i, (stride, maps) in enumerate(pyramid.items())
    ]
    return LossValue(torch.stack(sums), sums[0].new_full((len(sums),), float(len(image))))


def _shrunk(
    image: Float[Tensor, "b c _ _"], scale: int, like: Float[Tensor, "b k h w"]
) -> Float[Tensor, "b c h w"]:
    """The image at the size of a map of a scale."""
    return to_scale(image, scale, (like.shape[-2], like.shape[-1]))
