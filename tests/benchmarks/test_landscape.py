"""Where descents on loss curves end: by hand, and in volumes of pairs that are known."""

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scenes import BASELINE, plane_batch

from leadline.offset import STEREO, TARGET

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from landscape import STEP, contrast, descents, feature_volume, photometric_volume

from leadline.networks.features import FrozenAutoencoder


def curve(minima: dict[float, float], count: int = 81) -> np.ndarray:
    """Parabolas of slope one about each of `minima` (disparity: height), the lowest counting."""
    disparities = np.arange(count) * STEP
    return np.min([height + np.abs(disparities - at) for at, height in minima.items()], axis=0)


def test_one_basin_takes_all() -> None:
    found = descents(curve({10.0: 0.0})[None], np.array([10.4]))
    assert found.nearest.all()
    assert found.least.all()
    assert all(share == 1 for share in found.arrives.values())
    assert found.width[0] == 81 * STEP


def test_a_second_minimum_ends_the_basin() -> None:
    """Halfway between minima of equal height at 10 and 14 the ways part."""
    found = descents(curve({10.0: 0.0, 14.0: 0.0})[None], np.array([10.0]))
    # From 2 px on the side of the other minimum the way may lead either way; from 4 px it is there.
    assert found.arrives[4.0] == 0.5
    assert found.arrives[8.0] == 0.5
    assert 12 <= found.width[0] <= 12.5


def test_a_minimum_elsewhere_is_not_the_truth() -> None:
    found = descents(curve({4.0: 0.0, 10.0: 1.0})[None], np.array([7.0]))
    assert not found.nearest.any()
    assert not found.least.any()
    assert found.width[0] == 0
    assert found.arrives[2.0] == 0
    assert not found.least_near[2.0].any()


def test_the_least_and_the_nearest_may_differ() -> None:
    found = descents(curve({4.0: -1.0, 10.0: 0.0})[None], np.array([10.0]))
    assert found.nearest.all()
    assert not found.least.any()
    assert [bool(found.least_near[n].all()) for n in (2.0, 4.0, 8.0)] == [True, True, False]


def test_a_loss_that_says_nothing_has_no_minimum_and_leads_nowhere() -> None:
    found = descents(np.full((1, 81), 0.3), np.array([10.0]))
    assert not found.nearest.any()
    assert all(share == 0 for share in found.arrives.values())


def test_noise_does_not_pass_for_knowledge() -> None:
    noise = np.random.default_rng(0).random((2000, 161))
    found = descents(noise, np.full(2000, 20.0))
    # Of so many disparities within n px, those within one are some share by chance.
    for start, chance in ((2.0, 0.53), (4.0, 0.27), (8.0, 0.14)):
        assert found.least_near[start].mean() == pytest.approx(chance, abs=0.08)
    assert all(share < 0.3 for share in (v.mean() for v in found.arrives.values()))


@pytest.mark.parametrize("features", [False, True])
def test_volumes_are_least_at_the_disparity_of_a_plane(features: bool) -> None:
    torch.manual_seed(0)
    batch = plane_batch(count=1, size=(32, 96), depth=10.0, sources=(STEREO,))
    assert batch.intrinsics is not None
    disparity = batch.intrinsics[TARGET][0, 0, 0].item() * BASELINE / 10
    left, right = batch.images[TARGET], batch.images[STEREO]
    volume = (
        feature_volume(left, right, 60, FrozenAutoencoder("resnet18", "none"))
        if features
        else photometric_volume(left, right, 60)
    )
    assert volume.shape == (60, 32, 96)
    inner = volume[:, 6:-6, 30:-6].argmin(0) * STEP
    assert (inner - disparity).abs().median() <= 0.5


def test_contrast_is_a_standard_deviation() -> None:
    image = torch.rand(1, 3, 20, 30)
    grey = image.mean(1)[0].numpy()
    assert contrast(image)[10, 12] == pytest.approx(grey[7:14, 9:16].std(), rel=1e-4)
    assert contrast(torch.full((1, 3, 20, 30), 0.5)).max() < 1e-3
