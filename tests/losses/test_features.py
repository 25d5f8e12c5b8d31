"""Losses on learned features: against slow forms, and least where they should be."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without
from torch import Tensor
from torch.nn import functional

from leadline.geometry.camera import pixel_grid, resize_intrinsics
from leadline.geometry.grid import Grid
from leadline.losses.features import (
    FeatureCurvature,
    FeatureReprojection,
    FeatureSlope,
    Reconstruction,
)
from leadline.losses.roughness import edge_weighted_curvature, edge_weighted_slope
from leadline.losses.smoothness import Smoothness, edge_aware_smoothness
from leadline.networks.features import FeatureExtractor
from leadline.offset import STEREO, TARGET
from leadline.photometry.error import photometric_error
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import feature_maps
from leadline.types import Batch, FeatureMaps, Scene


class EverySecondPixel(FeatureExtractor):
    """The picture itself as features, at half the size."""

    def __init__(self, centre: float = 0.0) -> None:
        super().__init__()
        self.grid = Grid(2, centre)

    def extract(self, images: Tensor) -> Tensor:
        if self.grid.centre == 0:
            return images[..., ::2, ::2]
        return functional.avg_pool2d(images, 2)


def scene_of(
    depth: float | Tensor, batch: Batch | None = None, extractor: FeatureExtractor | None = None
) -> Scene:
    batch = batch or plane_batch(size=(48, 80))
    predictions = replace(
        predictions_of(batch, depth),
        features=feature_maps(extractor or EverySecondPixel(), batch),
    )
    return Scene(batch, predictions, Explainer()(batch, predictions, ["features"]))


@pytest.mark.parametrize("centre", [0.0, 0.5])
@pytest.mark.parametrize("reduction", ["min", "mean"])
def test_least_at_the_truth(centre: float, reduction: str) -> None:
    extractor, term = EverySecondPixel(centre), FeatureReprojection(reduction)  # type: ignore[arg-type]
    at_truth = term(scene_of(10.0, extractor=extractor)).mean()
    for depth in (7.0, 9.0, 11.0, 15.0):
        assert at_truth < term(scene_of(depth, extractor=extractor)).mean()


def test_features_of_the_right_warp_are_those_of_the_target() -> None:
    """A plane that is slanted, so that each pixel must be read at its own place."""
    batch = plane_batch(count=1, size=(48, 80), sources=(STEREO,))
    assert batch.intrinsics is not None
    focal = batch.intrinsics[TARGET][0, 0, 0].item()
    u, v, _ = pixel_grid(48, 80, torch.zeros(1))
    inverse_depth = 0.05 + 0.001 * u + 0.0005 * v
    disparity = focal * 0.5 * inverse_depth
    # What the right camera sees at u the left one sees at u + d: a ramp of colours that says where.
    left = torch.stack([u, v, u + v]) / 200
    slope = focal * 0.5 * 0.001
    u_left = (u + focal * 0.5 * (0.05 + 0.0005 * v)) / (1 - slope)
    right = torch.stack([u_left, v, u_left + v]) / 200
    images = {TARGET: left[None], STEREO: right[None]}
    predictions = predictions_of(batch, (1 / inverse_depth)[None, None], scales=1)
    batch = replace(batch, images=images)
    predictions = replace(predictions, features=feature_maps(EverySecondPixel(), batch))
    errors = Explainer()(batch, predictions, ["features"])
    assert errors.features is not None
    seen = (u - disparity)[::2, ::2] > 2
    assert errors.features[0, 0][seen].max() < 1e-5


def test_a_missing_neighbour_does_not_count() -> None:
    batch = without(plane_batch(size=(48, 80)), NEXT, index=1)
    whole, part = scene_of(12.0), scene_of(12.0, batch)
    n = batch.sources.index(NEXT)
    assert part.errors.features_valid is not None
    assert not part.errors.features_valid[1, n].any()
    value = FeatureReprojection()(part)
    assert value.sum.isfinite().all()
    assert value.count == FeatureReprojection()(whole).count


def test_a_mask_of_the_image_is_read_where_features_lie() -> None:
    batch = plane_batch(size=(48, 80))
    mask = torch.ones(2, 1, 48, 80, dtype=torch.bool)
    mask[..., :20] = False
    valid = scene_of(10.0, replace(batch, loss_mask=mask)).errors.features_valid
    assert valid is not None
    assert not valid[..., :10].any()
    assert valid[..., 10:].all()


def test_without_features_or_sources_it_is_said() -> None:
    batch = plane_batch(sources=(STEREO,))
    with pytest.raises(ValueError, match="no extractor"):
        Explainer()(batch, predictions_of(batch, 10.0), ["features"])
    alone = replace(batch, images={TARGET: batch.images[TARGET]})
    features = FeatureMaps({TARGET: batch.images[TARGET]}, 1, 0.0)
    predictions = replace(predictions_of(alone, 10.0), features=features)
    with pytest.raises(ValueError, match="no source in `frames:`"):
        Explainer()(alone, predictions, ["features"])


def test_the_grid_of_means_is_that_of_a_resized_image() -> None:
    K = torch.tensor([[50.0, 0, 20], [0, 60, 10], [0, 0, 1]])
    torch.testing.assert_close(Grid(4, 1.5).intrinsics(K), resize_intrinsics(K, (40, 80), (10, 20)))


def slow_slope(values: Tensor, image: Tensor, sharpness: float) -> float:
    total = 0.0
    channels, height, width = values.shape
    for step in ((0, 1), (1, 0)):
        terms = []
        for y in range(height - step[0]):
            for x in range(width - step[1]):
                change = image[:, y + step[0], x + step[1]] - image[:, y, x]
                weight = torch.exp(-sharpness * change.abs().mean())
                for c in range(channels):
                    difference = values[c, y + step[0], x + step[1]] - values[c, y, x]
                    terms.append(difference.abs() * weight)
        total += float(torch.stack(terms).mean())
    return total


def slow_curvature(values: Tensor, image: Tensor, sharpness: float) -> float:
    def second(maps: Tensor, along: str) -> Tensor:
        for axis in along:
            maps = maps[:, :, 1:] - maps[:, :, :-1] if axis == "x" else maps[:, 1:] - maps[:, :-1]
        return maps

    total = 0.0
    for along in ("xx", "xy", "yx", "yy"):
        weight = torch.exp(-sharpness * second(image, along).abs().mean(0, keepdim=True))
        total += float((second(values, along).abs() * weight).mean())
    return total


@pytest.mark.parametrize("sharpness", [1.0, 0.5])
def test_roughness_against_slow_forms(sharpness: float) -> None:
    values, image = torch.rand(2, 3, 5, 6), torch.rand(2, 3, 5, 6)
    slope = edge_weighted_slope(values, image, sharpness)
    curvature = edge_weighted_curvature(values, image, sharpness)
    for i in range(2):
        assert slope[i].item() == pytest.approx(slow_slope(values[i], image[i], sharpness))
        assert curvature[i].item() == pytest.approx(slow_curvature(values[i], image[i], sharpness))


def test_an_even_slope_has_no_curvature() -> None:
    ramp = torch.arange(12.0).expand(1, 1, 8, 12)
    image = torch.rand(1, 3, 8, 12)
    assert edge_weighted_curvature(ramp, image).item() == 0
    flat = torch.zeros(1, 3, 8, 12)
    assert edge_weighted_slope(ramp, flat).item() == pytest.approx(1)
    assert edge_weighted_slope(ramp, image).item() < 1


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_maps_too_small_for_a_difference_are_finite(rows: int) -> None:
    values, image = torch.rand(1, 2, rows, 3), torch.rand(1, 3, rows, 3)
    assert edge_weighted_slope(values, image).isfinite().all()
    assert edge_weighted_curvature(values, image).isfinite().all()


def pyramid_scene(pyramid: dict[int, Tensor], size: tuple[int, int] = (16, 24)) -> Scene:
    batch = plane_batch(size=size)
    predictions = replace(predictions_of(batch, 10.0), feature_pyramid=pyramid)
    return Scene(batch, predictions, Explainer()(batch, predictions, []))


def test_maps_weigh_half_as_much_as_the_next_finer_one() -> None:
    pyramid = {2: torch.rand(2, 4, 8, 12), 4: torch.rand(2, 6, 4, 6)}
    scene = pyramid_scene(pyramid)
    for term, sign, measure in (
        (FeatureSlope(), -1, edge_weighted_slope),
        (FeatureCurvature(), 1, edge_weighted_curvature),
    ):
        expected = 0.0
        for i, maps in enumerate(pyramid.values()):
            image = functional.avg_pool2d(scene.batch.images[TARGET], 2 ** (i + 1))
            expected += sign * measure(maps, image).mean().item() / 2**i / 2
        assert term(scene).mean().item() == pytest.approx(expected, rel=1e-5)


def test_slope_is_made_large_and_curvature_small() -> None:
    """Descending both, features of a flat picture become a ramp."""
    features = torch.rand(1, 1, 8, 12, requires_grad=True)
    batch = plane_batch(count=1, size=(16, 24))
    flat = {TARGET: torch.full((1, 3, 16, 24), 0.5)}
    batch = replace(batch, images=flat)
    optimiser = torch.optim.Adam([features], lr=0.02)
    start = edge_weighted_curvature(features, flat[TARGET][..., ::2, ::2]).item()
    for _ in range(200):
        predictions = replace(predictions_of(plane_batch(1), 10.0), feature_pyramid={2: features})
        scene = Scene(batch, predictions, Explainer()(batch, predictions_of(batch, 1.0), []))
        loss = FeatureSlope()(scene).mean() + FeatureCurvature()(scene).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    small = flat[TARGET][..., ::2, ::2]
    assert edge_weighted_curvature(features, small).item() < start
    assert edge_weighted_slope(features, small) > edge_weighted_curvature(features, small)


def test_reconstruction_is_least_for_the_picture_itself() -> None:
    batch = plane_batch(size=(16, 24))
    image = batch.images[TARGET]
    exact = {0: image, 1: functional.avg_pool2d(image, 2)}
    wrong = {scale: 1 - picture for scale, picture in exact.items()}
    values = []
    for painted in (exact, wrong):
        predictions = replace(predictions_of(batch, 10.0), reconstruction=painted)
        scene = Scene(batch, predictions, Explainer()(batch, predictions, []))
        values.append(Reconstruction()(scene))
    # The robust difference of equal colours is 0.15 times the root of its epsilon.
    assert values[0].mean().item() == pytest.approx(0.15e-3, rel=2e-2)
    assert values[1].mean() > 0.1
    expected = photometric_error(wrong[1], exact[1], absolute_form="robust_l1").mean()
    torch.testing.assert_close((values[1].sum / values[1].count)[1], expected)


def test_smoothness_of_second_order() -> None:
    batch = plane_batch(size=(16, 24))
    image = batch.images[TARGET]
    inverse = torch.rand(2, 1, 16, 24) + 0.5
    normalised = inverse / inverse.mean((2, 3), keepdim=True)
    expected = edge_weighted_slope(normalised, image, 0.5) + edge_weighted_curvature(
        normalised, image, 0.5
    )
    found = edge_aware_smoothness(inverse, image, second_order=True, sharpness=0.5)
    torch.testing.assert_close(found, expected)


def test_smoothness_that_is_not_normalised_counts_in_network_units() -> None:
    batch = plane_batch(size=(16, 24))
    depth = torch.rand(2, 1, 16, 24) + 5
    predictions = predictions_of(batch, depth, scales=1)
    scene = Scene(batch, predictions, Explainer()(batch, predictions, []))
    term = Smoothness(normalise=False)
    expected = edge_weighted_slope(batch.unit / depth, batch.images[TARGET])
    torch.testing.assert_close(term(scene).mean(), expected.mean())
