"""Each explanation of the target is judged once, and truth explains best."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without

from leadline.geometry.warp import Padding, warp_by_depth
from leadline.offset import STEREO, TARGET
from leadline.photometry.error import photometric_error
from leadline.synthesis.errors import Explainer, counted_noise

ALL = ("predicted", "identity", "hint", "warped")
INNER = (slice(None), slice(None), slice(3, -3), slice(6, -6))
"""Away from the borders, where the sources do not see the target."""


def test_truth_explains_better_than_anything_else() -> None:
    batch = plane_batch()
    truth = Explainer()(batch, predictions_of(batch, 10.0), ALL)
    wrong = Explainer()(batch, predictions_of(batch, 14.0), ALL)
    assert truth.predicted is not None
    assert wrong.predicted is not None
    assert truth.identity is not None
    for scale in (0, 1):
        assert truth.predicted[scale][INNER].max() < 5e-3
        truth_mean = truth.predicted[scale][INNER].mean((0, 2, 3))
        assert (wrong.predicted[scale][INNER].mean((0, 2, 3)) > 3 * truth_mean).all()
    truth_mean = truth.predicted[0][INNER].mean((0, 2, 3))
    assert (truth.identity[INNER].mean((0, 2, 3)) > 3 * truth_mean).all()
    assert truth.hint is not None
    assert truth.hint[INNER].max() < 5e-3


def test_errors_are_those_of_single_warps() -> None:
    batch = plane_batch()
    depth = torch.rand(2, 1, 24, 40) * 10 + 4
    predictions = predictions_of(batch, depth, scales=1)
    errors = Explainer()(batch, predictions, ALL)
    assert errors.predicted is not None
    assert errors.warped is not None
    assert batch.intrinsics is not None
    for n, offset in enumerate(batch.sources):
        K = batch.intrinsics
        warp = warp_by_depth(
            batch.images[offset], depth, batch.known_poses[offset], K[TARGET], K[offset]
        )
        expected = photometric_error(warp.image, batch.images[TARGET])
        torch.testing.assert_close(errors.predicted[0][:, n : n + 1], expected, atol=1e-4, rtol=0)
        torch.testing.assert_close(errors.warped[0][:, n], warp.image, atol=1e-6, rtol=0)


def test_a_missing_neighbour_is_invalid_and_finite() -> None:
    batch = without(plane_batch(), NEXT, index=1)
    predictions = predictions_of(plane_batch(), 10.0)
    errors = Explainer()(batch, predictions, ALL)
    assert errors.predicted is not None
    n = batch.sources.index(NEXT)
    assert errors.valid[0, n].all()
    assert not errors.valid[1, n].any()
    assert torch.isfinite(errors.predicted[0]).all()


def test_a_missing_hint_is_invalid_and_finite() -> None:
    batch = plane_batch()
    assert batch.hint is not None
    hint = batch.hint.clone()
    hint[0, 0, :4] = 0
    errors = Explainer()(replace(batch, hint=hint), predictions_of(batch, 10.0), ["hint"])
    assert errors.hint is not None
    assert errors.hint_valid is not None
    assert torch.isfinite(errors.hint).all()
    assert not errors.hint_valid[0, 0, :4].any()
    assert errors.hint_valid[0, 0, 4:].all()
    assert errors.predicted is None


def test_the_loss_mask_silences_pixels() -> None:
    batch = plane_batch()
    mask = torch.ones(2, 1, 24, 40, dtype=torch.bool)
    mask[:, :, 20:] = False
    errors = Explainer()(replace(batch, loss_mask=mask), predictions_of(batch, 10.0), ["hint"])
    assert not errors.valid[:, :, 20:].any()
    assert errors.valid[:, :, :20].all()
    assert errors.hint_valid is not None
    assert not errors.hint_valid[:, :, 20:].any()


def test_hints_need_a_hint_and_a_stereo_source() -> None:
    batch = plane_batch(sources=(NEXT,))
    with pytest.raises(ValueError, match="no hints"):
        Explainer()(batch, predictions_of(batch, 10.0), ["hint"])
    with_hint = replace(batch, hint=torch.ones(2, 1, 24, 40))
    with pytest.raises(ValueError, match="no stereo frame"):
        Explainer()(with_hint, predictions_of(batch, 10.0), ["hint"])
    with pytest.raises(ValueError, match="has none"):
        Explainer()(replace(batch, intrinsics=None), predictions_of(batch, 10.0), ["predicted"])


def test_noise_belongs_to_the_sample_not_to_the_batch() -> None:
    batch = plane_batch(count=3)
    assert batch.seeds is not None
    reordered = replace(batch, seeds=batch.seeds.flip(0))
    assert torch.equal(counted_noise(batch), counted_noise(reordered).flip(0))
    assert not torch.equal(counted_noise(batch)[0], counted_noise(batch)[1])


def test_full_precision_under_autocast() -> None:
    batch = plane_batch()
    predictions = predictions_of(batch, 10.0)
    expected = Explainer()(batch, predictions, ALL)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        errors = Explainer()(batch, predictions, ALL)
    assert errors.predicted is not None
    assert expected.predicted is not None
    assert torch.equal(errors.predicted[0], expected.predicted[0])


def test_a_target_without_sources_is_left_alone() -> None:
    batch = plane_batch(sources=())
    errors = Explainer()(batch, predictions_of(batch, 10.0), ())
    assert errors.valid.shape == (2, 0, 24, 40)
    assert errors.predicted is None
    assert STEREO not in batch.images


@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_beyond_a_source_is_what_the_recipe_says(padding: Padding) -> None:
    """So near that the whole picture would have to be looked for beyond the source's border."""
    batch = plane_batch()
    predictions = predictions_of(batch, 0.4, scales=1)
    errors = Explainer(padding=padding)(batch, predictions, ALL)
    assert errors.warped is not None
    warped = errors.warped[0][:, batch.sources.index(STEREO)]
    assert (warped.amax() == 0) == (padding == "zeros")
    assert batch.hint is not None
    near = replace(batch, hint=torch.full_like(batch.hint, 0.4))
    found = Explainer(padding=padding)(near, predictions, ALL).hint
    black = photometric_error(torch.zeros_like(batch.images[TARGET]), batch.images[TARGET])
    assert found is not None
    assert torch.allclose(found, black, atol=1e-4) == (padding == "zeros")
