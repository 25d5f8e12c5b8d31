"""BA-Net as a predictor: depth and poses of a batch, with the layer and without."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from feature_planes import PATCH, STRIDES, camera, errors, motions, plane_levels, plane_ranges
from feature_planes import SIZE as PLANE_SIZE
from scenes import NEXT, plane_batch, without
from torch import Tensor, nn

from leadline.geometry.grid import IMAGE, Grid
from leadline.geometry.ranges import range_to_depth
from leadline.losses.bundle_adjustment import (
    FlowConsistency,
    PoseRotation,
    PoseTranslation,
)
from leadline.losses.supervised import DepthResidual
from leadline.networks.banet import BANet
from leadline.networks.bundle_adjustment import BundleAdjustment
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import Explainer
from leadline.types import Batch, Predictions, Scene

SIZE = (64, 96)


@pytest.fixture(params=[True, False], ids=["adjusted", "plain"])
def network(request: pytest.FixtureRequest, tiny: Callable[[str], str]) -> BANet:
    return BANet(tiny("resnet"), "none", bundle_adjustment=request.param, initial_depth=2.0)


def adjusting(tiny: Callable[[str], str], **settings: int) -> BANet:
    return BANet(tiny("resnet"), "none", initial_depth=2.0, **settings)  # type: ignore[arg-type]


def of_sample(batch: Batch, index: int) -> Batch:
    own = slice(index, index + 1)
    assert batch.hint is not None
    return replace(batch.map_tensors(lambda x: x[own]), ids=batch.ids[own])


def assert_alike(found: Predictions, expected: Predictions) -> None:
    # Rounding of the batch grows with the steps of a layer whose features are still at random.
    torch.testing.assert_close(
        found.depth[TARGET][0], expected.depth[TARGET][0], atol=1e-4, rtol=3e-3
    )
    assert found.poses.keys() == expected.poses.keys()
    for offset, pose in expected.poses.items():
        torch.testing.assert_close(found.poses[offset], pose, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [SIZE, (50, 70)])
def test_depth_at_the_size_of_the_image_and_a_rigid_motion_to_each_source(
    network: BANet, size: tuple[int, int]
) -> None:
    batch = plane_batch(2, size)
    found = network(batch)
    assert list(found.depth[TARGET]) == [0]
    depth = found.depth[TARGET][0]
    assert depth.shape == (2, 1, *size)
    assert ((depth > 0.09 * batch.unit) & (depth < 101 * batch.unit)).all()
    assert set(found.poses) == {STEREO, NEXT}
    for offset, pose in found.poses.items():
        rotation = pose[:, :3, :3]
        torch.testing.assert_close(rotation @ rotation.mT, torch.eye(3).expand(2, 3, 3))
        assert not torch.allclose(pose, batch.known_poses[offset])


class Painted(nn.Module):
    """In place of a part of the network: what it should say of a painted plane."""

    minimum_depth, maximum_depth = 0.1, 100.0

    def __init__(self, says: object, *grids: Grid) -> None:
        super().__init__()
        self.says, self.grids, self.grid = says, grids, grids[0]

    def forward(self, *_: object) -> object:
        return self.says


GRIDS = [Grid(stride, PATCH) for stride in STRIDES[::-1]]


def painted_plane(tiny: Callable[[str], str], truth: Tensor) -> tuple[BANet, Batch, Tensor, Tensor]:
    """A network that sees a plane, wrongly deep, from two sources at `truth`; a batch for it, the
    depth that it begins with and the true one, in metres at the size of the image.
    """
    # Of all frames one after the other, the targets first.
    maps = [
        torch.cat([level.target[None], level.sources.transpose(0, 1)]).flatten(0, 1)
        for level in plane_levels(truth, channels=16)[::-1]
    ]
    ranges = plane_ranges(len(truth), dtype=torch.float32)
    weights = torch.tensor([0.04, -0.05, 0.03, 0.02])
    wrong = ranges.initial - torch.einsum("bkhw,k->bhw", ranges.basis, weights)[:, None]
    first, depth = (range_to_depth(x, ranges.intrinsics) for x in (wrong, ranges.initial))
    network = BANet(tiny("resnet"), "none")
    network.features = Painted(maps, *GRIDS)  # type: ignore[assignment]
    network.depth = Painted((first, ranges.basis), GRIDS[0])  # type: ignore[assignment]
    network.adjustment = BundleAdjustment(16, iterations=8)
    batch = plane_batch(len(truth), PLANE_SIZE)
    K = camera(torch.float32).expand(len(truth), 3, 3)
    batch = replace(batch, intrinsics=dict.fromkeys(batch.images, K))
    first, depth = (
        batch.unit / GRIDS[0].resampled(1 / x, IMAGE, PLANE_SIZE) for x in (first, depth)
    )
    return network, batch, first, depth


def test_of_a_painted_plane_it_says_depth_and_motions_in_metres(
    tiny: Callable[[str], str],
) -> None:
    truth = motions(2.0, 0.1, 4, seed=3, dtype=torch.float32).unflatten(0, (2, 2))
    network, batch, first, depth = painted_plane(tiny, truth)
    found = network(batch)
    poses = torch.stack([found.poses[offset] for offset in batch.sources], dim=1)
    poses[..., :3, 3] /= batch.unit
    turned, moved = errors(poses, truth)
    assert turned.max() < 0.2
    assert moved.max() < 0.005
    before, after = ((x - depth).abs().mean() for x in (first, found.depth[TARGET][0]))
    assert after < 0.25 * before


def test_half_precision_does_not_reach_the_geometry(tiny: Callable[[str], str]) -> None:
    truth = motions(2.0, 0.1, 2, seed=4, dtype=torch.float32)[None]
    network, batch, *_ = painted_plane(tiny, truth)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(batch)
    assert_alike(found, network(batch))


def test_known_poses_are_not_looked_at(network: BANet) -> None:
    network.eval()
    batch = plane_batch(2, SIZE)
    unknown = {offset: torch.full_like(p, torch.nan) for offset, p in batch.known_poses.items()}
    assert_alike(network(replace(batch, known_poses=unknown)), network(batch))


def test_any_backbone(tiny_backbone: str) -> None:
    network = BANet(tiny_backbone, "none", iterations=1)
    found = network(plane_batch(1, SIZE))
    assert found.depth[TARGET][0].isfinite().all()
    assert found.poses[NEXT].isfinite().all()


def test_every_parameter_learns(network: BANet) -> None:
    batch = replace(plane_batch(2, SIZE), depth=torch.full((2, 1, *SIZE), 10.0))
    found = network(batch)
    scene = Scene(batch, found, Explainer()(batch, found, ()))
    terms = (PoseRotation(), PoseTranslation(), FlowConsistency(), DepthResidual("berhu"))
    sum(term(scene).mean() for term in terms).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name


def test_pose_alone_leaves_the_first_depth(tiny: Callable[[str], str]) -> None:
    batch = plane_batch(2, SIZE)
    alone = replace(
        batch, images={TARGET: batch.images[TARGET]}, inputs={TARGET: batch.inputs[TARGET]}
    )
    posed = adjusting(tiny, joint_levels=0).eval()
    torch.testing.assert_close(posed(batch).depth[TARGET][0], posed(alone).depth[TARGET][0])
    joint = adjusting(tiny).eval()
    assert not torch.allclose(joint(batch).depth[TARGET][0], joint(alone).depth[TARGET][0])


def test_a_picture_alone_has_a_depth_and_needs_no_camera(network: BANet) -> None:
    image = plane_batch(2, SIZE).images[TARGET]
    there = {TARGET: torch.ones(2, dtype=torch.bool)}
    found = network(Batch(("a", "b"), {TARGET: image}, {TARGET: image}, there))
    assert found.depth[TARGET][0].shape == (2, 1, *SIZE)
    assert not found.poses


def test_each_sample_is_as_if_alone(network: BANet) -> None:
    # In double: which points lie on the border of a map must not be a matter of rounding.
    network.eval().double()
    batch = plane_batch(2, SIZE).map_tensors(lambda x: x.double() if x.is_floating_point() else x)
    # Not twice the same picture.
    images = {o: torch.stack([i[0], i[1].flip(-1)]) for o, i in batch.images.items()}
    batch = replace(batch, images=images, inputs=images)
    together = network(batch)
    for index in range(2):
        own = slice(index, index + 1)
        assert_alike(
            network(of_sample(batch, index)), together.map_tensors(lambda x, own=own: x[own])
        )


def test_the_order_of_sources_does_not_matter(network: BANet) -> None:
    network.eval()
    batch = plane_batch(2, SIZE)
    order = (TARGET, NEXT, STEREO)
    images = {offset: batch.images[offset] for offset in order}
    mixed = replace(batch, images=images, inputs=images)
    assert mixed.sources == batch.sources[::-1]
    assert_alike(network(mixed), network(batch))


def test_an_absent_source_changes_nothing_and_is_not_moved(tiny: Callable[[str], str]) -> None:
    network = adjusting(tiny).eval()
    both, single = plane_batch(2, SIZE), plane_batch(2, SIZE, sources=(STEREO,))
    found = network(without(both, NEXT, 0))
    alone = network(single)
    torch.testing.assert_close(found.depth[TARGET][0][0], alone.depth[TARGET][0][0])
    torch.testing.assert_close(found.poses[STEREO][0], alone.poses[STEREO][0])
    assert torch.equal(found.poses[NEXT][0], torch.eye(4))


def test_what_stands_for_an_absent_source_does_not_disturb_norms(network: BANet) -> None:
    black = without(plane_batch(2, SIZE), NEXT, 0)
    images = {offset: image.clone() for offset, image in black.images.items()}
    images[NEXT][0] = torch.rand(3, *SIZE)
    noise = replace(black, images=images, inputs=images)
    # In training, where norms take the mean of what they are shown.
    assert_alike(network(noise), network(black))


def test_depth_and_motion_are_in_metres_and_a_zoom_makes_both_larger(
    tiny: Callable[[str], str],
) -> None:
    network = adjusting(tiny).eval()
    batch = plane_batch(2, SIZE)
    once = network(batch)
    twice = network(replace(batch, unit=2 * batch.unit))
    zoomed = network(replace(batch, zoom=torch.tensor([1.0, 3.0])))
    for factors, found in ((torch.tensor([2.0, 2.0]), twice), (torch.tensor([1.0, 3.0]), zoomed)):
        scale = factors[:, None, None, None]
        torch.testing.assert_close(found.depth[TARGET][0], scale * once.depth[TARGET][0])
        pose, expected = found.poses[NEXT], once.poses[NEXT]
        torch.testing.assert_close(pose[:, :3, :3], expected[:, :3, :3])
        torch.testing.assert_close(pose[:, :3, 3], factors[:, None] * expected[:, :3, 3])


def test_what_it_cannot_do_is_refused(tiny: Callable[[str], str]) -> None:
    batch = plane_batch(1, SIZE)
    with pytest.raises(ValueError, match="needs intrinsics"):
        adjusting(tiny)(replace(batch, intrinsics=None))
    plain = BANet(tiny("resnet"), "none", bundle_adjustment=False)
    with pytest.raises(ValueError, match="expected 1 without bundle adjustment"):
        plain(replace(batch, zoom=torch.ones(1)))
    with pytest.raises(ValueError, match="joint_levels"):
        adjusting(tiny, joint_levels=4)


def test_under_autocast_depth_and_poses_are_exact_numbers(network: BANet) -> None:
    batch = plane_batch(1, SIZE)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = network(batch)
    assert found.depth[TARGET][0].dtype == torch.float32
    assert found.poses[NEXT].dtype == torch.float32
    assert found.poses[NEXT].isfinite().all()


def test_it_learns_to_move_and_to_turn(tiny: Callable[[str], str]) -> None:
    """Turns too, which change the picture nearly as movements aside do."""
    network = adjusting(tiny, iterations=2, joint_levels=1, joint_damping=10)
    batch = replace(plane_batch(2, SIZE, sources=(NEXT,)), depth=torch.full((2, 1, *SIZE), 10.0))
    truth = batch.known_poses[NEXT]
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    off: list[tuple[float, float]] = []
    for _ in range(40):
        found = network(batch)
        turned, moved = errors(found.poses[NEXT], truth)
        off.append((turned.mean().item(), moved.mean().item()))
        scene = Scene(batch, found, Explainer()(batch, found, ()))
        loss = FlowConsistency()(scene).mean() + DepthResidual("berhu")(scene).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
    assert off[-1][0] < 0.5 * off[0][0]
    assert off[-1][1] < 0.5 * off[0][1]
