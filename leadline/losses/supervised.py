"""Supervision by true depth: of every pixel, and of logarithms, of which a common factor may be
forgiven.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.losses.residuals import RESIDUALS, Residual
from leadline.losses.term import Need, Term
from leadline.losses.true_depth import measured_pixels, true_depth
from leadline.types import LossValue, Scene

_COLUMNS, _ROWS = 3, 2
_LEAST_ROOT = 1e-12
"""A root has no derivative at 0, where a perfect prediction is."""


class DepthResidual(Term):
    """Mean over measured pixels of a residual of d and d*, in network units, at every scale,
    brought to the size of the images: absolute, squared, logarithmic or reverse Huber [fcrn].

    Args:
        residual: see `leadline.losses.residuals`.
    """

    needs = frozenset[Need]({"depth"})
    gives_scale = True

    def __init__(self, residual: Residual) -> None:
        super().__init__()
        self.residual: Residual = residual

    def forward(self, scene: Scene) -> LossValue:
        depth, unit = true_depth(scene), scene.batch.unit
        measured = measured_pixels(scene, depth)
        off, truth = RESIDUALS[self.residual], depth / unit
        sums = [
            off(predicted / unit, truth, measured).where(measured, 0.0).sum()
            for predicted in scene.errors.depth.values()
        ]
        return LossValue(torch.stack(sums), measured.sum().to(truth.dtype).expand(len(sums)))


class _LogTerm(Term):
    """What judges e = log d - log d* by its mean square and its mean.

    Raises:
        ValueError: `invariance` is not a share: above 1 the loss would fall as depths run away.
    """

    needs = frozenset[Need]({"depth"})

    def __init__(self, invariance: float, nearest: float) -> None:
        super().__init__()
        if not 0 <= invariance <= 1:
            raise ValueError(f"invariance: expected a share from 0 to 1, got {invariance}")
        self.invariance = invariance
        self.nearest = nearest

    def tells_metres(self) -> bool:
        return self.invariance < 1

    def forward(self, scene: Scene) -> LossValue:
        truth = true_depth(scene)
        measured = measured_pixels(scene, truth, self.nearest)
        some = measured.flatten(1).any(1)
        sums = [
            self.of_image(_log_error(predicted, truth, measured), measured).where(some, 0.0).sum()
            for predicted in scene.errors.depth.values()
        ]
        return LossValue(torch.stack(sums), some.sum().to(truth.dtype).expand(len(sums)))

    def of_image(
        self, error: Float[Tensor, "b 1 h w"], measured: Bool[Tensor, "b 1 h w"]
    ) -> Float[Tensor, "b"]:
        """The loss of each image."""
        raise NotImplementedError

    def spread(
        self, error: Float[Tensor, "b 1 h w"], measured: Bool[Tensor, "b 1 h w"]
    ) -> Float[Tensor, "b"]:
        """mean e^2 - l (mean e)^2 of each image, 0 where nothing was measured."""
        count = measured.sum((1, 2, 3)).clamp(min=1)
        square, mean = error.square().sum((1, 2, 3)) / count, error.sum((1, 2, 3)) / count
        return square - self.invariance * mean.square()


class ScaleInvariantLog(_LogTerm):
    """Mean over images of mean e^2 - l (mean e)^2, with e = log d - log d* at the measured pixels
    of an image [eigen2014].

    With l = 1 that is the variance of e, which a factor common to all depths does not change; with
    0 the mean square; the paper trains with 0.5. Equal for l = 1 to the sum over all pairs of
    pixels of (e_i - e_j)^2 / (2 n^2).

    With `slopes` plus the mean over neighbours, measured both, of (dx e)^2 and of (dy e)^2: what is
    wrong should at least be wrong evenly [eigen2015].

    Departure: the mean is taken within each image, and of images, so that it is the same however a
    batch is spread over processes; slopes are means over the pairs of neighbours of each direction,
    not over pixels, of which some have none.

    Args:
        invariance: l, from 0 to 1.
        slopes: whether slopes of the error count.
        nearest: truth that is not farther counts as not measured, metres.

    Raises:
        ValueError: `invariance` is not a share: above 1 the loss would fall as depths run away.
    """

    def __init__(self, invariance: float = 0.5, slopes: bool = False, nearest: float = 0.0) -> None:
        super().__init__(invariance, nearest)
        self.slopes = slopes

    def of_image(
        self, error: Float[Tensor, "b 1 h w"], measured: Bool[Tensor, "b 1 h w"]
    ) -> Float[Tensor, "b"]:
        value = self.spread(error, measured)
        return value + _slopes(error, measured) if self.slopes else value


class SILog(_LogTerm):
    """Mean over images of 10 sqrt(mean e^2 - l (mean e)^2), with e = log d - log d* [bts].

    Departure: the root is taken image by image, so that it is the same however a batch is spread
    over processes; the released code takes that of the whole batch of a process.

    Args:
        invariance: l, from 0 to 1; 0.85 in the paper.
        nearest: truth that is not farther counts as not measured, metres: 1 on KITTI, 0.1 indoors.

    Raises:
        ValueError: `invariance` is not a share.
    """

    def __init__(self, invariance: float = 0.85, nearest: float = 0.0) -> None:
        super().__init__(invariance, nearest)

    def of_image(
        self, error: Float[Tensor, "b 1 h w"], measured: Bool[Tensor, "b 1 h w"]
    ) -> Float[Tensor, "b"]:
        return 10 * self.spread(error, measured).clamp(min=_LEAST_ROOT).sqrt()


def _log_error(
    predicted: Float[Tensor, "b 1 h w"],
    truth: Float[Tensor, "b 1 h w"],
    measured: Bool[Tensor, "b 1 h w"],
) -> Float[Tensor, "b 1 h w"]:
    """log d - log d*, 0 where nothing was measured."""
    error: Tensor = predicted.where(measured, 1.0).log() - truth.where(measured, 1.0).log()
    return error


def _slopes(
    error: Float[Tensor, "b 1 h w"], measured: Bool[Tensor, "b 1 h w"]
) -> Float[Tensor, "b"]:
    total = error.new_zeros(len(error))
    for axis in (_COLUMNS, _ROWS):
        size = error.shape[axis] - 1
        both = measured.narrow(axis, 0, size) & measured.narrow(axis, 1, size)
        change = error.diff(dim=axis).where(both, 0.0)
        total = total + change.square().sum((1, 2, 3)) / both.sum((1, 2, 3)).clamp(min=1)
    return total
