"""Warps judged at the size of each scale, against images that are means."""

from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, predictions_of, without
from torch.nn import functional

from leadline.geometry.camera import resize_intrinsics
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET
from leadline.photometry.error import photometric_error
from leadline.synthesis.errors import Explainer
from leadline.synthesis.own_scale import batch_at_scale

OWN = Explainer(judged_at="own")


def test_errors_are_those_of_small_images_and_their_cameras() -> None:
    batch = plane_batch(size=(24, 40))
    predictions = predictions_of(batch, 9.0, scales=3)
    errors = OWN(batch, predictions, ["predicted", "warped"])
    assert errors.predicted is not None
    assert errors.warped is not None
    assert batch.intrinsics is not None
    for scale in range(3):
        size = (24 // 2**scale, 40 // 2**scale)
        K = resize_intrinsics(batch.intrinsics[TARGET], batch.size, size)
        small = {o: functional.avg_pool2d(i, 2**scale) for o, i in batch.images.items()}
        for n, offset in enumerate(batch.sources):
            depth = predictions.depth[TARGET][scale]
            warp = warp_by_depth(small[offset], depth, batch.known_poses[offset], K, K)
            expected = photometric_error(warp.image, small[TARGET])
            found = errors.predicted[scale]
            assert found.shape == (2, 2, *size)
            torch.testing.assert_close(found[:, n : n + 1], expected, atol=1e-4, rtol=0)
            torch.testing.assert_close(errors.warped[scale][:, n], warp.image, atol=1e-5, rtol=0)
    # The finest scale is the same either way, and depth is at full size as ever.
    full = Explainer()(batch, predictions, ["predicted"])
    assert full.predicted is not None
    torch.testing.assert_close(errors.predicted[0], full.predicted[0])
    assert all(depth.shape == (2, 1, 24, 40) for depth in errors.depth.values())


def test_truth_explains_best_at_every_scale() -> None:
    batch = plane_batch(size=(48, 80))
    inner = (slice(None), slice(None), slice(1, -1), slice(2, -2))
    found = {
        depth: OWN(batch, predictions_of(batch, depth, scales=3), ["predicted"]).predicted
        for depth in (10.0, 14.0)
    }
    for scale in range(3):
        truth, wrong = (found[depth][scale][inner].mean() for depth in (10.0, 14.0))  # type: ignore[index]
        assert wrong > 2 * truth


def test_a_pixel_counts_where_all_that_it_is_made_of_does() -> None:
    batch = without(plane_batch(size=(22, 38)), NEXT, index=1)
    mask = torch.ones(2, 1, 22, 38, dtype=torch.bool)
    mask[0, 0, 5, 9] = False
    batch = replace(batch, loss_mask=mask)
    predictions = predictions_of(batch, 10.0, scales=1)
    depth = {s: torch.full((2, 1, -(-22 // 2**s), -(-38 // 2**s)), 10.0) for s in range(3)}
    predictions = replace(predictions, depth={TARGET: depth})
    errors = OWN(batch, predictions, ["predicted"])
    for scale in range(3):
        valid = errors.warps_valid(scale)
        assert valid.shape[-2:] == depth[scale].shape[-2:]
        stereo = batch.sources.index(STEREO)
        assert (~valid[0, stereo]).nonzero().tolist() == [[5 // 2**scale, 9 // 2**scale]]
        assert valid[1, stereo].all()
        assert not valid[1, 1 - stereo].any()


def test_what_is_no_picture_is_not_judged_at_any_scale() -> None:
    """A corner that a rotation left black."""
    batch = plane_batch(size=(24, 40))
    shown = {offset: torch.ones(2, 1, 24, 40, dtype=torch.bool) for offset in batch.images}
    shown[TARGET][:, :, :9, :9] = False
    batch = replace(batch, in_picture=shown)
    errors = OWN(batch, predictions_of(batch, 10.0, scales=3), ["predicted"])
    for scale in range(3):
        valid = errors.warps_valid(scale)
        corner = -(-9 // 2**scale)
        assert not valid[:, :, :corner, :corner].any()
        assert valid[:, :, corner + 1 : -2, corner + 1 : -3].all()


def test_where_strides_do_not_divide_the_image_the_camera_stays() -> None:
    """Pixels of a map are 2^s wide, whether or not the last of them reaches beyond the image."""
    batch = plane_batch(size=(22, 38))
    assert batch.intrinsics is not None
    small = batch_at_scale(batch, 2, (6, 10))
    assert small.images[TARGET].shape[-2:] == (6, 10)
    assert small.intrinsics is not None
    before, after = batch.intrinsics[TARGET][0], small.intrinsics[TARGET][0]
    assert after[0, 0] == pytest.approx(before[0, 0].item() / 4)
    assert after[0, 2] == pytest.approx((before[0, 2].item() + 0.5) / 4 - 0.5)
    assert batch_at_scale(batch, 0, (22, 38)) is batch


def test_what_is_judged_at_full_size_alone_is_refused() -> None:
    for need in ("identity", "hint", "features"):
        with pytest.raises(ValueError, match=f"judged_at: expected full .* look at {need}"):
            OWN.check({"predicted", need})
        Explainer().check({"predicted", need})
    with pytest.raises(ValueError, match="look at identity"):
        OWN(plane_batch(), predictions_of(plane_batch(), 10.0), ["predicted", "identity"])
