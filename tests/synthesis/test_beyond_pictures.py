"""What a roll brought in from beyond the pictures explains nothing, and need not be explained."""

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from losses.test_features import EverySecondPixel
from scenes import NEXT, plane_batch, predictions_of
from torch import Tensor

from leadline.losses.explainability import MaskedReprojection
from leadline.losses.features import FeatureReprojection, Reconstruction
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.sparse import SparseInverseDepth
from leadline.losses.supervised import DepthResidual, ScaleInvariantLog
from leadline.losses.term import Term
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.errors import Explainer, Explanation
from leadline.synthesis.predict import feature_maps
from leadline.types import Batch, Errors, Scene

SIZE = (24, 40)
WANTED: list[Explanation] = ["predicted", "identity", "hint", "features"]


def corner(left: bool, depth: int) -> Tensor:
    """True but for the upper left or right corner, cut off by a diagonal."""
    row, column = torch.meshgrid(torch.arange(SIZE[0]), torch.arange(SIZE[1]), indexing="ij")
    along = column if left else SIZE[1] - 1 - column
    return (row + along >= depth).expand(2, 1, *SIZE)


IN_PICTURE = {
    TARGET: corner(True, 12),
    STEREO: corner(True, 17) & corner(False, 17),
    NEXT: corner(True, 20),
}
"""Each frame lacks something else, as where cameras differ."""


def rolled_batch() -> Batch:
    batch = plane_batch(size=SIZE)
    depth = torch.where(IN_PICTURE[TARGET], torch.full((2, 1, *SIZE), 9.0), 0.0)
    return replace(batch, in_picture=IN_PICTURE, loss_mask=IN_PICTURE[TARGET], depth=depth)


def painted(batch: Batch, beyond: Callable[[Tensor], Tensor]) -> Batch:
    """The batch with other colours where its frames show no picture."""
    images = {
        offset: image.where(IN_PICTURE[offset], beyond(image))
        for offset, image in batch.images.items()
    }
    return replace(batch, images=images, inputs=images)


def judged(batch: Batch, term: Term) -> tuple[Tensor, Tensor, Tensor]:
    """The sum of a term, its count, and the gradient to depths that are nearly right."""
    random = torch.Generator().manual_seed(0)
    depth = (10 + torch.rand(2, 1, *SIZE, generator=random)).requires_grad_()
    predictions = predictions_of(batch, depth, scales=1)
    shares = torch.full((2, 2, *SIZE), 0.3)
    predictions = replace(
        predictions,
        features=feature_maps(EverySecondPixel(), batch),
        explainability={0: shares},
    )
    value = term(Scene(batch, predictions, Explainer()(batch, predictions, WANTED)))
    value.sum.sum().backward()
    return value.sum.detach(), value.count, depth.grad


PHOTOMETRIC = {
    "min": Reprojection(),
    "mean": Reprojection(reduction="mean", automask=False),
    "kept": Reprojection(average_over="kept", hint_competes=True),
    "masked": MaskedReprojection(),
    "hint": ProxySupervision(),
    "features": FeatureReprojection(),
    "features, mean": FeatureReprojection("mean"),
}


@pytest.mark.parametrize("term", PHOTOMETRIC.values(), ids=PHOTOMETRIC)
def test_what_lies_beyond_may_have_any_colour(term: Term) -> None:
    batch = rolled_batch()
    noise = torch.Generator().manual_seed(1)
    black, white, mixed = (
        judged(painted(batch, beyond), term)
        for beyond in (
            torch.zeros_like,
            torch.ones_like,
            lambda image: torch.rand(image.shape, generator=noise),
        )
    )
    assert black[1].sum() > 0
    for other in (white, mixed):
        for one, same in zip(black, other, strict=True):
            torch.testing.assert_close(one, same, rtol=1e-5, atol=1e-6)
    unmasked = replace(batch, in_picture={})
    dark, grey = (
        judged(painted(unmasked, lambda image, value=value: torch.full_like(image, value)), term)
        for value in (0.0, 0.5)
    )
    assert not torch.allclose(dark[0], grey[0], rtol=1e-3)


def read_in_picture(offset: Offset, v: int, u: int, shift: tuple[float, float]) -> bool:
    """Whether all that a target pixel mixes is of the source's picture; borders go on."""
    x, y = u + shift[0], v + shift[1]
    rows = {math.floor(y), math.ceil(y)}
    columns = {math.floor(x), math.ceil(x)}
    return all(
        bool(IN_PICTURE[offset][0, 0, min(max(row, 0), 23), min(max(column, 0), 39)])
        for row in rows
        for column in columns
    )


@pytest.mark.parametrize("depth", [6.3, 14.7])
def test_a_warp_is_judged_where_its_window_lies_in_both_pictures(depth: float) -> None:
    """Pixel by pixel: a plane moves each source by one known shift."""
    batch = rolled_batch()
    errors = Explainer()(batch, predictions_of(batch, depth, scales=2), ["predicted", "identity"])
    focal = float(batch.intrinsics[TARGET][0, 0, 0])
    for n, offset in enumerate(batch.sources):
        shift = focal * batch.known_poses[offset][0, :2, 3] / depth
        for v, u in np.ndindex(SIZE):
            window = [
                (row, column)
                for row in range(max(v - 1, 0), min(v + 2, SIZE[0]))
                for column in range(max(u - 1, 0), min(u + 2, SIZE[1]))
            ]
            target = all(bool(IN_PICTURE[TARGET][0, 0, r, c]) for r, c in window)
            warped = all(read_in_picture(offset, r, c, tuple(shift.tolist())) for r, c in window)
            still = all(bool(IN_PICTURE[offset][0, 0, r, c]) for r, c in window)
            for scale in (0, 1):
                assert errors.warps_valid(scale)[0, n, v, u] == (target and warped)
            assert errors.identities_valid()[0, n, v, u] == (target and still)


def test_without_a_roll_there_is_one_mask_for_all() -> None:
    batch = plane_batch()
    errors = Explainer()(batch, predictions_of(batch, 10.0), ["predicted", "identity"])
    assert errors.predicted_valid is errors.identity_valid is None
    assert errors.warps_valid(1) is errors.identities_valid() is errors.valid


@pytest.mark.parametrize("term", [SparseInverseDepth(), DepthResidual("l1"), ScaleInvariantLog()])
def test_truth_under_the_mask_teaches_nothing(term: Term) -> None:
    batch = rolled_batch()
    truth = torch.full((2, 1, *SIZE), 9.0)
    absurd = replace(batch, depth=truth.where(IN_PICTURE[TARGET], 77.0))
    for one, other in zip(judged(batch, term), judged(absurd, term), strict=True):
        torch.testing.assert_close(one, other)
    if not isinstance(term, ScaleInvariantLog):
        assert judged(batch, term)[1].tolist() == [int(IN_PICTURE[TARGET].sum())]


def test_a_picture_is_painted_where_the_mask_allows_it() -> None:
    """At a coarse scale where it allows all the pixels of which one is the mean."""
    batch = rolled_batch()
    painting = {0: torch.rand(2, 3, *SIZE), 1: torch.rand(2, 3, 12, 20)}
    predictions = replace(predictions_of(batch, 10.0), reconstruction=painting)
    nothing = Errors({}, torch.ones(2, 2, *SIZE) > 0)
    value = Reconstruction(ssim_weight=0)(Scene(batch, predictions, nothing))
    mask = IN_PICTURE[TARGET]
    coarse = (
        mask[..., ::2, ::2] & mask[..., 1::2, ::2] & mask[..., ::2, 1::2] & mask[..., 1::2, 1::2]
    )
    assert value.count.tolist() == [mask.sum(), coarse.sum()]
    clean = batch.images[TARGET]
    means = clean.unflatten(-1, (-1, 2)).mean(-1).unflatten(-2, (-1, 2)).mean(-2)
    for k, (allowed, wanted) in enumerate(((mask, clean), (coarse, means))):
        off = ((painting[k] - wanted).square() + 1e-6).sqrt().mean(1, keepdim=True)
        torch.testing.assert_close(value.sum[k], off[allowed].sum())
    everywhere = replace(batch, loss_mask=torch.ones_like(mask))
    unmasked = replace(batch, loss_mask=None)
    one, other = (Reconstruction()(Scene(b, predictions, nothing)) for b in (everywhere, unmasked))
    torch.testing.assert_close(one.sum, other.sum)
    assert one.count.tolist() == other.count.tolist()
