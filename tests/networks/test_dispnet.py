"""The networks of SfMLearner: layers by the paper's table, shapes, what is seen beside motion."""

from dataclasses import replace

import pytest
import torch
from scenes import plane_batch
from torch import Tensor, nn

from leadline.geometry.pose import euler_to_matrix
from leadline.losses.explainability import ExplainabilityPrior, MaskedReprojection
from leadline.losses.reprojection import Reprojection
from leadline.losses.smoothness import Smoothness
from leadline.losses.term import Objective, Weighted
from leadline.networks.dispnet import DispNet, _enlarged, inverse_depth_of_logits
from leadline.networks.explaining_pose import ExplainingPose
from leadline.networks.garg import GargNetwork
from leadline.networks.monodepth import MonodepthNetwork
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import training_step
from leadline.types import Batch

BEFORE, AFTER = Offset(-1), Offset(1)
ENCODER = [(32, 7), (64, 5), (128, 3), (256, 3), (512, 3), (512, 3), (512, 3)]
"""Channels and kernel of the pairs, of which the first has stride 2 [sfmlearner]."""
DECODER = [16, 32, 64, 128, 256, 512, 512]
"""Of the stages that end at strides 1, 2, 4 ... 64."""


def counted(*layers: tuple[int, int, int]) -> int:
    """Weights and biases of convolutions of so many inputs, outputs, and a kernel."""
    return sum(i * o * k * k + o for i, o, k in layers)


def test_layers_of_the_depth_network() -> None:
    network = DispNet()
    layers, coming = [], 3
    for (width, kernel), pair in zip(ENCODER, network.encoder.pairs, strict=True):
        assert isinstance(pair, nn.Sequential)
        first, second = (m for m in pair if isinstance(m, nn.Conv2d))
        assert (first.stride, second.stride) == ((2, 2), (1, 1))
        assert first.kernel_size == second.kernel_size == (kernel, kernel)
        layers += [(coming, width, kernel), (width, width, kernel)]
        coming = width
    for stage, width in reversed(list(enumerate(DECODER))):
        before = 512 if stage == 6 else DECODER[stage + 1]
        joined = ENCODER[stage - 1][0] if stage else 0
        # The last three stages see the disparity before them.
        seen = 1 if stage <= 2 else 0
        layers += [(before, width, 3), (width + joined + seen, width, 3)]
    layers += [(DECODER[scale], 1, 3) for scale in range(4)]
    assert sum(p.numel() for p in network.parameters()) == counted(*layers) == 31_596_900


@pytest.mark.parametrize("size", [(128, 416), (64, 192), (50, 71)])
def test_depth_at_four_scales(size: tuple[int, int]) -> None:
    depth = DispNet().eval()(torch.rand(1, 3, *size)).depth
    assert list(depth) == [0, 1, 2, 3]
    for scale, value in depth.items():
        assert value.shape == (1, 1, -(-size[0] // 2**scale), -(-size[1] // 2**scale))
        assert (1 / value > 0.01).all()
        assert (1 / value < 10.01).all()


def test_inverse_depth_goes_from_a_hundredth_to_ten() -> None:
    found = inverse_depth_of_logits(torch.tensor([[[[-100.0, 0.0, 100.0]]]])).flatten()
    torch.testing.assert_close(found, torch.tensor([0.01, 5.01, 10.01]))


def test_first_depths() -> None:
    torch.manual_seed(0)
    image = torch.rand(1, 3, 64, 128)
    assert DispNet()(image).depth[0].median().item() == pytest.approx(1 / 5.01, rel=0.3)
    assert DispNet(2.0)(image).depth[0].median().item() == pytest.approx(2, rel=0.5)
    for wrong in (0.0, 0.05, 1000.0, -1.0):
        with pytest.raises(ValueError, match="initial_depth: expected more than 0"):
            DispNet(wrong)


@pytest.mark.parametrize("explains", [False, True])
def test_layers_of_the_pose_network(explains: bool) -> None:
    network = ExplainingPose(2, explains)
    layers = [(9, 16, 7), (16, 32, 5), (32, 64, 3), (64, 128, 3), (128, 256, 3)]
    layers += [(256, 256, 3), (256, 256, 3), (256, 12, 1)]
    if explains:
        layers += [(256, 256, 3), (256, 128, 3), (128, 64, 3), (64, 32, 5), (32, 16, 7)]
        layers += [(128, 2, 3), (64, 2, 3), (32, 2, 5), (16, 2, 7)]
    assert sum(p.numel() for p in network.parameters()) == counted(*layers)


@pytest.mark.parametrize("size", [(128, 416), (50, 71)])
def test_masks_are_as_large_as_depth(size: tuple[int, int]) -> None:
    network = ExplainingPose(2)
    target, *sources = torch.rand(3, 2, 3, *size)
    poses, masks = network.look(target, sources)
    assert [tuple(pose.shape) for pose in poses] == [(2, 4, 4)] * 2
    assert masks is not None
    for scale in range(4):
        assert masks[scale].shape == (2, 2, -(-size[0] // 2**scale), -(-size[1] // 2**scale))
    for pose, again in zip(poses, network(target, sources), strict=True):
        assert torch.equal(pose, again)
    assert ExplainingPose(2, explains=False).look(target, sources).explainability is None


def test_a_motion_is_a_translation_then_angles() -> None:
    """Of each source its own, in their order."""
    network = ExplainingPose(2, explains=False)
    last = network.motion[-1]
    assert isinstance(last, nn.Conv2d)
    nn.init.zeros_(last.weight)
    numbers = torch.tensor([[10.0, 20, 30, 5, 40, -25], [1.0, 2, 3, -7, 9, 11]])
    with torch.no_grad():
        last.bias.copy_(numbers.flatten())  # type: ignore[union-attr]
    poses = network(torch.rand(1, 3, 64, 64), list(torch.rand(2, 1, 3, 64, 64)))
    for pose, expected in zip(poses, 0.01 * numbers, strict=True):
        torch.testing.assert_close(pose[0, :3, 3], expected[:3])
        torch.testing.assert_close(pose[:, :3, :3], euler_to_matrix(expected[None, 3:]))


def test_disparities_are_enlarged_as_each_paper_has_it() -> None:
    values = torch.tensor([[[[0.0, 4.0]]]])
    assert _enlarged(values, "transposed")[0, 0, 0].tolist() == [0, 1, 3, 4]
    assert _enlarged(values, "nearest")[0, 0, 0].tolist() == [0, 0, 4, 4]
    assert DispNet().decoder._enlarging == "transposed"
    assert MonodepthNetwork().decoder._enlarging == "nearest"


def test_parts_shown_larger_are_taken_for_what_they_look_like() -> None:
    """Depth and motion alike: then what goes forward is explained as well as in the whole."""
    predictor = DepthAndPose(DispNet(), ExplainingPose(2, explains=False), zoomed_poses=True).eval()
    batch = video_batch()
    whole = replace(batch, zoom=None)
    for one, other in zip(
        predictor(batch).depth[TARGET].values(),
        predictor(whole).depth[TARGET].values(),
        strict=True,
    ):
        assert torch.equal(one, other)
    predictor.check([BEFORE, AFTER])
    with pytest.raises(ValueError, match="zoomed_poses: expected frames in time alone"):
        predictor.check([BEFORE, AFTER, STEREO])


@pytest.mark.parametrize("explains", [False, True])
def test_a_step_teaches_every_parameter(explains: bool) -> None:
    torch.manual_seed(0)
    predictor = DepthAndPose(DispNet(), ExplainingPose(2, explains), zoomed_poses=True)
    roughness = Smoothness(first_order=False, second_order=True, sharpness=0.0, normalise=False)
    terms = {"smoothness": Weighted(roughness, 0.5)}
    if explains:
        terms["reprojection"] = Weighted(MaskedReprojection(), 4.0)
        terms["prior"] = Weighted(ExplainabilityPrior(), 0.4)
    else:
        terms["reprojection"] = Weighted(Reprojection("mean", automask=False), 4.0)
    objective = Objective(terms)
    objective.check(predictor.makes | {"predicted"})
    explainer = Explainer(ssim_weight=0.0, padding="zeros", judged_at="own")
    explainer.check(objective.needed())
    batch = video_batch()
    step = training_step(predictor, explainer, objective, batch)
    step.loss.backward()
    for name, parameter in predictor.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().sum() > 0, name
    assert step.scene.errors.predicted is not None
    assert step.scene.errors.predicted[2].shape == (2, 2, 16, 32)


def video_batch() -> Batch:
    """Two frames before and after; what is shown is one and a half times larger in the second."""
    batch = plane_batch(size=(64, 128))
    other = batch.images[Offset(1)]
    images = {TARGET: batch.images[TARGET], BEFORE: other.flip(0), AFTER: other}
    return replace(
        batch,
        images=images,
        inputs=images,
        available={offset: torch.ones(2, dtype=torch.bool) for offset in images},
        intrinsics=dict.fromkeys(images, batch.intrinsics[TARGET]),  # type: ignore[index]
        known_poses={},
        hint=None,
        zoom=torch.tensor([1.0, 1.5]),
    )


def test_masks_of_scales_that_depth_lacks_are_not_looked_at() -> None:
    predictor = DepthAndPose(GargNetwork(), ExplainingPose(2), zoomed_poses=True)
    objective = Objective(
        {"pictures": Weighted(MaskedReprojection()), "prior": Weighted(ExplainabilityPrior(), 0.4)}
    )
    loss = training_step(predictor, Explainer(), objective, video_batch()).loss
    assert loss.isfinite()


def test_the_mask_of_each_source_is_its_own() -> None:
    """What the network doubts of one source costs nothing there, and all of it of the other."""
    batch = video_batch()
    predictor = DepthAndPose(DispNet(), ExplainingPose(2), zoomed_poses=True).eval()
    explainer = Explainer(ssim_weight=0.0, padding="zeros", judged_at="own")

    def loss(logits: tuple[float, float]) -> Tensor:
        step = training_step(
            predictor, explainer, Objective({"r": Weighted(Reprojection("mean", False))}), batch
        )
        scene = step.scene
        maps = {
            s: torch.tensor(logits, dtype=torch.float32)[:, None, None].expand(2, 2, *e.shape[-2:])
            for s, e in scene.errors.predicted.items()  # type: ignore[union-attr]
        }
        doubting = replace(scene, predictions=replace(scene.predictions, explainability=maps))
        return MaskedReprojection()(doubting).mean()

    neither, first, second, both = (
        loss(logits).item() for logits in ((-50, -50), (50, -50), (-50, 50), (50, 50))
    )
    assert neither == pytest.approx(0, abs=1e-6)
    assert first > 0.001
    assert first + second == pytest.approx(both, rel=1e-5)
