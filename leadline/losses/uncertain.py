"""Photometric error of which the network says how large it will be [sfm-from-sfm]."""

import torch
from jaxtyping import Float
from torch import Tensor

from leadline.geometry.depth import to_full_size
from leadline.losses.explanations import of_each_source, over_sources
from leadline.losses.term import Term
from leadline.types import LossValue, Scene


class UncertainReprojection(Term):
    """Mean over pixels and sources of e exp(-u) + u, with e the photometric error of a source's
    warp and u the logarithm that the network expects of it there [sfm-from-sfm].

    The negative logarithm of a Laplace distribution of width exp(u), but for a constant: an error
    that was expected costs log e, and one that was not more. What no depth explains, shiny, moving
    or hidden, teaches less where the network knows it for such. It need not reach below 0: errors
    are far less than 1, and so are their logarithms.
    """

    needs = frozenset({"predicted", "photometric_uncertainty"})

    def forward(self, scene: Scene) -> LossValue:
        predicted = scene.errors.predicted
        if predicted is None:
            raise ValueError("the predicted warps were not asked for")
        sums, counts, maps = [], [], {}
        for scale, expected in _expected(scene).items():
            error, u = predicted[scale], expected
            if u.shape[-2:] != error.shape[-2:]:
                u = to_full_size(u, scale, scene.batch.size)
            cost, valid = over_sources(
                error * (-u).exp() + u, scene.errors.warps_valid(scale), "mean"
            )
            sums.append(cost.where(valid, 0.0).sum())
            counts.append(valid.sum())
            maps[f"expected_error_{scale}"] = u.detach().exp()
        return LossValue(torch.stack(sums), torch.stack(counts).to(sums[0].dtype), maps)


def _expected(scene: Scene) -> dict[int, Float[Tensor, "b n _ _"]]:
    expected = scene.predictions.photometric_uncertainty
    if expected is None:
        raise ValueError("the depth network expects no photometric error; see `Objective.check`")
    return of_each_source(expected, scene, "photometric uncertainty", "set its `uncertain_sources`")
