"""The networks of Monodepth: layers by its table, two disparities, a pair seen from both sides."""

from dataclasses import replace

import pytest
import torch
from scenes import plane_batch
from torch import nn

from leadline.geometry.camera import resize_intrinsics
from leadline.geometry.warp import warp_by_inverse_depth
from leadline.losses.both_sides import BothSides, LeftRightConsistency, partner_of
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.smoothness import Smoothness
from leadline.losses.term import Objective, Weighted
from leadline.networks.monodepth import MonodepthNetwork, ResidualEncoder
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import Explainer
from leadline.synthesis.partner import from_partner
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import scene_of, training_step
from leadline.types import Batch, Predictions, Scene

OWN = Explainer(judged_at="own")
VGG = [(32, 7), (64, 5), (128, 3), (256, 3), (512, 3), (512, 3), (512, 3)]
DECODER = [16, 32, 64, 128, 256, 512, 512]


def counted(*layers: tuple[int, int, int]) -> int:
    return sum(i * o * k * k + o for i, o, k in layers)


def decoder_layers(skips: list[int], deepest: int) -> list[tuple[int, int, int]]:
    """Of as many stages as there are maps: enlarge, join the map and two disparities, convolve."""
    layers, stages = [], len(skips) + 1
    for stage in reversed(range(stages)):
        before = deepest if stage == stages - 1 else DECODER[stage + 1]
        joined = skips[stage - 1] if stage else 0
        seen = 2 if stage <= 2 else 0
        width = DECODER[stage]
        layers += [(before, width, 3), (width + joined + seen, width, 3)]
    return [*layers, *((DECODER[scale], 2, 3) for scale in range(4))]


def test_layers_of_vgg() -> None:
    network = MonodepthNetwork("vgg")
    layers, coming = [], 3
    for (width, kernel), pair in zip(VGG, network.encoder.pairs, strict=True):  # type: ignore[arg-type]
        first, second = (m for m in pair if isinstance(m, nn.Conv2d))
        assert (first.stride, second.stride) == ((1, 1), (2, 2))
        layers += [(coming, width, kernel), (width, width, kernel)]
        coming = width
    layers += decoder_layers([width for width, _ in VGG[:-1]], 512)
    assert sum(p.numel() for p in network.parameters()) == counted(*layers) == 31_600_072


def test_layers_of_the_residual_encoder() -> None:
    network = MonodepthNetwork("resnet50")
    layers, coming = [(3, 64, 7)], 64
    for width, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for _ in range(blocks):
            layers += [(coming, width, 1), (width, width, 3), (width, 4 * width, 1)]
            layers += [(coming, 4 * width, 1)]
            coming = 4 * width
    layers += decoder_layers([64, 64, 256, 512, 1024], 2048)
    assert sum(p.numel() for p in network.parameters()) == counted(*layers)
    maps = ResidualEncoder()(torch.rand(1, 3, 128, 192))
    assert [128 // m.shape[-2] for m in maps] == [2, 4, 8, 16, 32, 64]
    assert [m.shape[1] for m in maps] == [64, 64, 256, 512, 1024, 2048]
    # The last block of a stage is the one that halves.
    strides = [block.shortcut.stride[0] for block in network.encoder.stages[1]]  # type: ignore[union-attr,index]
    assert strides == [1, 1, 1, 2]


@pytest.mark.parametrize("encoder", ["vgg", "resnet50"])
@pytest.mark.parametrize("size", [(128, 256), (50, 71)])
def test_two_disparities_at_four_scales(encoder: str, size: tuple[int, int]) -> None:
    raw = MonodepthNetwork(encoder)(torch.rand(1, 3, *size))  # type: ignore[arg-type]
    assert raw.partner_depth is not None
    for maps in (raw.depth, raw.partner_depth):
        assert list(maps) == [0, 1, 2, 3]
        for scale, depth in maps.items():
            assert depth.shape == (1, 1, -(-size[0] // 2**scale), -(-size[1] // 2**scale))
            assert (1 / depth <= 0.3 + 1e-5).all()


def test_first_disparities() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 128)
    for initial, expected in ((None, 0.15), (0.03, 0.03)):
        disparity = 1 / MonodepthNetwork("vgg", initial)(image).depth[0]
        assert disparity.median().item() == pytest.approx(expected, rel=0.4)
    with pytest.raises(ValueError, match="initial_disparity: expected a share"):
        MonodepthNetwork("vgg", 0.3)


def pair(depth: float = 10.0) -> Batch:
    return plane_batch(size=(32, 64), depth=depth, sources=(STEREO,))


def both(batch: Batch, depth: float, partner: float) -> Predictions:
    sizes = {s: (2, 1, 32 // 2**s, 64 // 2**s) for s in range(3)}
    return Predictions(
        depth={
            TARGET: {s: torch.full(size, float(depth)) for s, size in sizes.items()},
            STEREO: {s: torch.full(size, float(partner)) for s, size in sizes.items()},
        },
        poses={STEREO: batch.known_poses[STEREO]},
    )


NEEDED = BothSides(Reprojection(automask=False)).needed() | LeftRightConsistency().needed()


def scene(depth: float, partner: float, batch: Batch | None = None) -> Scene:
    batch = pair() if batch is None else batch
    return scene_of(batch, both(batch, depth, partner), OWN, NEEDED)


def test_each_picture_is_explained_by_the_other() -> None:
    """The plane is as far from both cameras: a wrong depth of either costs as much."""
    term = BothSides(Reprojection(automask=False))
    right, left_wrong, partner_wrong = (
        term(scene(*depths)).mean().item() for depths in ((10, 10), (14, 10), (10, 14))
    )
    assert left_wrong > 1.2 * right
    assert partner_wrong == pytest.approx(left_wrong, rel=0.1)
    assert len(term(scene(10, 10)).sum) == 6


def test_the_other_side_of_the_other_side_is_this_one() -> None:
    one = scene(10, 12)
    other = partner_of(one)
    assert torch.equal(other.batch.images[TARGET], one.batch.images[STEREO])
    pose = other.predictions.poses[STEREO] @ one.predictions.poses[STEREO]
    torch.testing.assert_close(pose, torch.eye(4).expand(2, 4, 4))
    assert partner_of(other).batch is one.batch
    with pytest.raises(ValueError, match="was not asked for"):
        partner_of(replace(one, partner=None))


def test_consistency_is_of_shares_of_the_width() -> None:
    batch = pair()
    term = LeftRightConsistency("border")
    value = term(scene(10, 12)).mean().item()
    assert value == pytest.approx(batch.unit * (1 / 10 - 1 / 12), rel=1e-4)
    assert term(scene(11, 11)).mean().item() == pytest.approx(0, abs=1e-6)
    # Beyond the border of the other picture disparity is 0, as published.
    beyond = LeftRightConsistency()(scene(11, 11)).mean().item()
    assert 0 < beyond < batch.unit / 11


def test_consistency_against_single_warps_of_each_scale() -> None:
    """Depth that changes, cameras that differ: each map is warped by the cameras of its size."""
    batch = pair_of_two_cameras()
    generator = torch.Generator().manual_seed(0)

    def maps() -> dict[int, torch.Tensor]:
        return {
            s: 5 + 10 * torch.rand(2, 1, 32 // 2**s, 64 // 2**s, generator=generator)
            for s in range(3)
        }

    pose = batch.known_poses[STEREO]
    depth = {TARGET: maps(), STEREO: maps()}
    seen = scene_of(batch, Predictions(depth=depth, poses={STEREO: pose}), OWN, NEEDED)
    found = LeftRightConsistency()(seen)
    expected = []
    assert batch.intrinsics is not None
    for one, other, motion in ((TARGET, STEREO, pose), (STEREO, TARGET, torch.linalg.inv(pose))):
        for s in range(3):
            size = (32 // 2**s, 64 // 2**s)
            K, L = (resize_intrinsics(batch.intrinsics[o], (32, 64), size) for o in (one, other))
            warp = warp_by_inverse_depth(
                1 / depth[other][s], 1 / depth[one][s], motion, K, L, "zeros"
            )
            difference = (1 / depth[one][s] - warp.image).abs() * batch.unit
            expected.append(difference.sum().item())
    assert found.sum.tolist() == pytest.approx(expected, rel=1e-4)


def test_consistency_looks_where_a_loss_may() -> None:
    batch = pair()
    mask = torch.ones(2, 1, 32, 64, dtype=torch.bool)
    mask[0] = False
    masked = LeftRightConsistency()(scene(14, 12, replace(batch, loss_mask=mask)))
    plain = LeftRightConsistency()(scene(14, 12))
    assert (masked.count[:3] * 2).tolist() == plain.count[:3].tolist()
    assert masked.count[3:].tolist() == plain.count[3:].tolist()
    shown = dict.fromkeys(batch.images, mask)
    rolled = LeftRightConsistency()(scene(14, 12, replace(batch, in_picture=shown)))
    assert (rolled.count <= plain.count / 2).all()
    assert (rolled.count > plain.count / 4).all()


def test_the_partner_has_its_own_camera_and_is_judged_alike() -> None:
    batch = pair_of_two_cameras()
    explainer = Explainer(ssim_weight=0.3, judged_at="own", padding="zeros")
    one = scene_of(batch, both(batch, 10, 12), explainer, NEEDED)
    other = partner_of(one)
    assert batch.intrinsics is not None
    assert other.batch.intrinsics is not None
    assert other.batch.intrinsics[TARGET] is batch.intrinsics[STEREO]
    assert other.batch.intrinsics[STEREO] is batch.intrinsics[TARGET]
    again = explainer(other.batch, other.predictions, ["predicted"]).predicted
    assert again is not None
    assert other.errors.predicted is not None
    for scale, error in other.errors.predicted.items():
        torch.testing.assert_close(error, again[scale])


def pair_of_two_cameras() -> Batch:
    batch = pair()
    assert batch.intrinsics is not None
    longer = batch.intrinsics[TARGET].clone()
    longer[:, 0, 0] *= 1.2
    longer[:, 0, 2] += 3
    return replace(batch, intrinsics={TARGET: batch.intrinsics[TARGET], STEREO: longer})


def test_consistency_looks_where_the_pixel_is_seen() -> None:
    """A near thing on the left, as far to the left in the partner as its disparity says: all that
    the target shows is so there too. Of the partner the strip that it hides is not.
    """
    batch = pair()
    shift = round(0.9 * 64 * 0.5 / 5.0)
    target, partner = torch.full((2, 1, 32, 64), 5.0), torch.full((2, 1, 32, 64), 5.0)
    target[..., 40:] = 20.0
    partner[..., 40 - shift :] = 20.0

    def inconsistent(of_partner: torch.Tensor) -> list[float]:
        predictions = Predictions(
            depth={TARGET: {0: target}, STEREO: {0: of_partner}},
            poses={STEREO: batch.known_poses[STEREO]},
        )
        value = LeftRightConsistency("border")(scene_of(batch, predictions, OWN, NEEDED))
        columns = value.sum / (batch.unit * (1 / 5 - 1 / 20)) / (2 * 32)
        return columns.tolist()

    seen, hidden = inconsistent(partner)
    assert seen == pytest.approx(0, abs=0.3)
    assert hidden == pytest.approx(shift - 1, abs=1)
    assert inconsistent(target)[0] > 1


def test_a_pair_that_is_none_counts_nothing_and_stays_finite() -> None:
    batch = pair()
    available = {o: mask.clone() for o, mask in batch.available.items()}
    available[STEREO][1] = False
    poses = batch.known_poses[STEREO].clone()
    poses[1] = torch.nan
    batch = replace(batch, available=available, known_poses={STEREO: poses})
    predictions = replace(both(batch, 14, 12), poses={STEREO: poses.nan_to_num()})
    seen = scene_of(batch, predictions, OWN, NEEDED)
    for term in (BothSides(Reprojection(automask=False)), LeftRightConsistency()):
        value = term(seen)
        assert value.sum.isfinite().all()
        alone = term(scene(14, 12))
        torch.testing.assert_close(value.sum, alone.sum / 2, rtol=1e-4, atol=1e-3)
        torch.testing.assert_close(value.count, alone.count / 2)


def test_a_step_teaches_every_parameter() -> None:
    torch.manual_seed(0)
    predictor = DepthAndPose(MonodepthNetwork("vgg"))
    objective = Objective(
        {
            "pictures": Weighted(BothSides(Reprojection(automask=False))),
            "smooth": Weighted(BothSides(Smoothness(normalise=False)), 0.1),
            "consistent": Weighted(LeftRightConsistency()),
        }
    )
    objective.check(predictor.makes | {"predicted"})
    batch = plane_batch(size=(128, 192), sources=(STEREO,))
    step = training_step(predictor, OWN, objective, batch)
    step.loss.backward()
    for name, parameter in predictor.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name


def test_without_a_partner_the_target_is_left() -> None:
    term = BothSides(Reprojection(automask=False))
    with pytest.raises(ValueError, match="looks at proxy, uncertainty: of the partner there is"):
        BothSides(ProxySupervision("everywhere", uncertainty=True))
    assert term.without(frozenset({"partner"})) is term.term
    assert isinstance(term.without(frozenset()), BothSides)
    assert term.without(frozenset({"predicted"})) is None
    assert LeftRightConsistency().without(frozenset({"partner"})) is None
    alone = replace(both(pair(), 10, 10), depth={TARGET: {}})
    with pytest.raises(ValueError, match="looks from the partner of a pair"):
        from_partner(pair(), alone)
