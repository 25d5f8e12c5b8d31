"""Whose pose it is: known, predicted, or nobody's; and what the pose network is shown."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
import torch
from scenes import NEXT, plane_batch, without
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.grid import Grid
from leadline.geometry.pose import pose_from_rotvec
from leadline.networks.depth import DepthModule, DepthNetwork, RawDepth
from leadline.networks.features import FeatureExtractor
from leadline.networks.pose import JointPoseNetwork
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.predict import DepthAndPose, feature_maps
from leadline.types import Batch

BEFORE = Offset(time=-1)


class Flat(DepthNetwork):
    """A depth network that sees the same depth everywhere."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.makes = frozenset()

    def forward(self, image: Tensor, intrinsics: Tensor | None = None) -> RawDepth:
        return RawDepth({0: torch.ones_like(image[:, :1])})


class Stepping(nn.Module):
    """A pose network that always sees one step forward, and remembers what it was shown."""

    def __init__(self) -> None:
        super().__init__()
        self.step = nn.Parameter(torch.tensor([0.0, 0.0, 1.0]))
        self.shown: list[tuple[Tensor, Tensor]] = []

    def forward(self, earlier: Tensor, later: Tensor) -> Tensor:
        self.shown.append((earlier, later))
        return pose_from_rotvec(torch.zeros(len(earlier), 3), self.step.expand(len(earlier), 3))


class Joint(JointPoseNetwork):
    """Says of the n-th source that it lies n + 1 units ahead, and remembers what it was shown."""

    def __init__(self, sources: int) -> None:
        super().__init__()
        self.sources = sources
        self.shown: list[Tensor] = []

    def forward(self, target: Tensor, sources: Sequence[Tensor]) -> list[Tensor]:
        self.shown = [target, *sources]
        steps = [torch.tensor([[0.0, 0.0, n + 1.0]]).expand(len(target), 3) for n in range(2)]
        return [pose_from_rotvec(torch.zeros(len(target), 3), step) for step in steps]


def predictor(pose: nn.Module | None) -> DepthAndPose:
    return DepthAndPose(Flat(), pose)


def knowing(batch: Batch, offset: Offset, *indices: int) -> Batch:
    """The batch, with the pose to `offset` known for these samples only."""
    poses = dict(batch.known_poses)
    known = poses.pop(offset)
    if indices:
        poses[offset] = torch.full_like(known, torch.nan)
        poses[offset][list(indices)] = known[list(indices)]
    return replace(batch, known_poses=poses)


def test_what_is_shown_larger_is_as_many_times_farther_than_it_looks() -> None:
    batch = replace(plane_batch(), zoom=torch.tensor([1.0, 1.5]))
    depth = predictor(None)(batch).depth[TARGET][0]
    assert torch.equal(depth[0].unique(), torch.tensor([batch.unit]))
    assert torch.equal(depth[1].unique(), torch.tensor([1.5 * batch.unit]))


def test_a_pose_network_takes_no_zoom() -> None:
    batch = replace(plane_batch(), zoom=torch.tensor([1.0, 1.5]))
    with pytest.raises(
        ValueError, match=r"^zoom: expected 1 with a pose network, .*zoom at 1, or give the"
    ):
        predictor(Stepping())(batch)
    seen = DepthAndPose(predictor(None).depth, Stepping(), zoomed_poses=True)(batch)
    assert seen.poses[NEXT].isfinite().all()
    stereo = replace(plane_batch(sources=(STEREO,)), zoom=batch.zoom)
    assert torch.equal(predictor(Stepping())(stereo).poses[STEREO], batch.known_poses[STEREO])


def test_the_depth_network_looks_at_the_partner_where_it_is_asked_to() -> None:
    """Any depth network; an absent partner is no black picture."""
    batch = without(plane_batch(), STEREO, index=1)
    shown, cameras = [], []

    class Noting(DepthModule):
        def forward(self, image: Tensor, intrinsics: Tensor | None = None) -> RawDepth:
            shown.append(image)
            cameras.append(intrinsics)
            return RawDepth({0: 1 + image.mean(1, keepdim=True)})

    plain = DepthAndPose(Noting())(batch)
    assert set(plain.depth) == {TARGET}
    both = DepthAndPose(Noting(), partner=True)
    assert both.makes == {"partner"}
    depth = both(batch).depth
    torch.testing.assert_close(depth[TARGET][0], plain.depth[TARGET][0])
    assert torch.equal(shown[-1][0], batch.inputs[STEREO][0])
    assert torch.equal(shown[-1][1], batch.inputs[TARGET][1])
    assert batch.intrinsics is not None
    assert cameras[-1] is batch.intrinsics[STEREO]
    assert cameras[-2] is batch.intrinsics[TARGET]
    expected = batch.unit * (1 + shown[-1].mean(1, keepdim=True))
    torch.testing.assert_close(depth[STEREO][0], expected)


@pytest.mark.parametrize("known", [(), (1,), (0, 1)])
def test_the_pose_network_runs_whatever_a_batch_knows(known: tuple[int, ...]) -> None:
    """Two processes that differed in this would wait for each other's gradients forever."""
    batch, network = plane_batch(), Stepping()
    poses = predictor(network)(knowing(batch, NEXT, *known)).poses
    assert len(network.shown) == 1
    assert torch.equal(poses[STEREO], batch.known_poses[STEREO])
    for index in range(2):
        told = batch.known_poses[NEXT][index] if index in known else None
        expected = torch.tensor([0.0, 0.0, batch.unit]) if told is None else told[:3, 3]
        torch.testing.assert_close(poses[NEXT][index, :3, 3], expected)
    poses[NEXT].sum().backward()
    assert network.step.grad is not None
    assert network.step.grad[2] == batch.unit * (2 - len(known))


def test_the_earlier_image_is_shown_first_and_the_past_is_inverted() -> None:
    batch, network = plane_batch(sources=(STEREO, NEXT)), Stepping()
    images = {TARGET: batch.images[TARGET], BEFORE: batch.images[NEXT]}
    available = dict.fromkeys(images, batch.available[NEXT])
    past = replace(batch, images=images, inputs=images, available=available, known_poses={})
    poses = predictor(network)(past).poses
    ((earlier, later),) = network.shown
    assert torch.equal(earlier, images[BEFORE])
    assert torch.equal(later, images[TARGET])
    assert torch.equal(poses[BEFORE][:, 2, 3], torch.full((2,), -batch.unit))


def test_an_absent_frame_is_not_shown_as_a_black_picture() -> None:
    batch, network = without(plane_batch(), NEXT, index=1), Stepping()
    predictor(network)(knowing(batch, NEXT))
    ((target, source),) = network.shown
    assert torch.equal(source[0], batch.images[NEXT][0])
    assert torch.equal(source[1], target[1])


def test_what_nobody_tells_stays_unknown_and_what_is_absent_stays_out() -> None:
    batch = without(plane_batch(count=3), NEXT, index=1)
    poses = predictor(None)(knowing(batch, NEXT, 0, 1)).poses
    assert torch.equal(poses[NEXT][0], batch.known_poses[NEXT][0])
    assert torch.equal(poses[NEXT][1], torch.zeros(4, 4))
    assert poses[NEXT][2].isnan().all()
    # A partner's pose is the calibration's to tell, not the network's.
    network = Stepping()
    assert predictor(network)(knowing(batch, STEREO)).poses[STEREO].isnan().all()
    assert len(network.shown) == 1


def test_a_joint_network_sees_all_frames_in_time_once() -> None:
    batch = plane_batch(sources=(STEREO, NEXT))
    assert batch.intrinsics is not None
    images = {**batch.images, BEFORE: batch.images[NEXT].flip(0)}
    batch = replace(
        batch,
        images=images,
        inputs=images,
        available={**batch.available, BEFORE: torch.tensor([True, False])},
        known_poses={STEREO: batch.known_poses[STEREO]},
    )
    network = Joint(2)
    poses = predictor(network)(batch).poses
    target, first, second = network.shown
    assert torch.equal(target, images[TARGET])
    assert torch.equal(first, images[NEXT])
    # What is absent is not shown as black.
    assert torch.equal(second[1], images[TARGET][1])
    assert torch.equal(poses[STEREO], batch.known_poses[STEREO])
    for offset, steps in ((NEXT, 1), (BEFORE, 2)):
        assert torch.equal(poses[offset][:, 2, 3], torch.full((2,), steps * batch.unit))


def test_a_joint_network_is_of_so_many_frames() -> None:
    joint = predictor(Joint(2))
    joint.check([NEXT, BEFORE, STEREO])
    # Where motions are known by the rig alone it is not asked.
    joint.check([STEREO])
    with pytest.raises(ValueError, match="expected 2 frames in time beside the target"):
        joint.check([NEXT, STEREO])


class Looking(FeatureExtractor):
    """Halves the picture, and counts how often it is asked."""

    grid = Grid(2, 0.5)

    def __init__(self) -> None:
        super().__init__()
        self.looks: list[int] = []

    def extract(self, images: Tensor) -> Tensor:
        self.looks.append(len(images))
        return functional.avg_pool2d(images, 2)


def test_features_of_all_frames_are_made_in_one_look() -> None:
    batch, extractor = plane_batch(sources=(STEREO, NEXT)), Looking()
    found = feature_maps(extractor, batch)
    assert extractor.looks == [3 * len(batch)]
    for offset in (TARGET, STEREO, NEXT):
        expected = functional.avg_pool2d(batch.images[offset], 2)
        torch.testing.assert_close(found.maps[offset], expected)
