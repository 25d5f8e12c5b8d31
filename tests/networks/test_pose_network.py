"""Pose networks: a rigid motion from two images, in their order."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor, nn
from torch.nn import functional

from leadline.networks.backbone import Backbone
from leadline.networks.pose import PackNetPose, PoseCNN, SeparateResNetPose, TargetFirstResNetPose


@pytest.fixture(params=["resnet", "cnn"])
def network(request: pytest.FixtureRequest, tiny: Callable[[str], str]) -> nn.Module:
    if request.param == "cnn":
        return PoseCNN()
    return SeparateResNetPose(tiny("resnet"), "none")


def pair(batch: int = 2, size: tuple[int, int] = (70, 90)) -> tuple[Tensor, Tensor]:
    return torch.rand(batch, 3, *size), torch.rand(batch, 3, *size)


def test_parameter_counts() -> None:
    network = SeparateResNetPose("resnet18", "none")
    assert sum(p.numel() for p in network.backbone.parameters()) == 11_185_920
    assert sum(p.numel() for p in network.net.parameters()) == 1_314_572
    assert [key for key in network.state_dict() if key.startswith("net.")] == [
        f"net.{i}.{kind}" for i in range(4) for kind in ("weight", "bias")
    ]
    kernels = [(7, 6, 16), (5, 16, 32), (3, 32, 64), (3, 64, 128), (3, 128, 256)]
    kernels += [(3, 256, 256)] * 2 + [(1, 256, 6)]
    expected = sum(k * k * inputs * outputs + outputs for k, inputs, outputs in kernels)
    assert sum(p.numel() for p in PoseCNN().parameters()) == expected


@pytest.mark.parametrize(("batch", "size"), [(1, (64, 96)), (3, (37, 100)), (1, (5, 3))])
def test_a_small_rigid_motion(network: nn.Module, batch: int, size: tuple[int, int]) -> None:
    pose = network(*pair(batch, size))
    rotation = pose[:, :3, :3]
    assert pose.shape == (batch, 4, 4)
    torch.testing.assert_close(
        rotation @ rotation.mT, torch.eye(3).expand(batch, 3, 3), atol=1e-6, rtol=0
    )
    torch.testing.assert_close(pose[:, 3], torch.tensor([[0.0, 0, 0, 1]]).expand(batch, 4))
    assert 0 < (pose - torch.eye(4)).abs().max() < 0.05


def test_order_matters(network: nn.Module) -> None:
    earlier, later = pair()
    assert not torch.allclose(network(earlier, later), network(later, earlier), atol=1e-7)


def test_the_resnet_pose_is_the_mean_of_the_first_six_outputs(tiny: Callable[[str], str]) -> None:
    network = SeparateResNetPose(tiny("resnet"), "none").eval()
    with torch.no_grad():
        for parameter in network.net.parameters():
            parameter.mul_(20)
    earlier, later = pair()
    x = network.backbone(torch.cat([earlier, later], dim=1))[-1]
    for index in range(3):
        layer = network.net[index]
        x = functional.conv2d(x, layer.weight, layer.bias, padding=min(index, 1)).clamp(min=0)
    last = network.net[3]
    motion = 0.01 * (x.mean((2, 3)) @ last.weight[:, :, 0, 0].T + last.bias)
    pose = network(earlier, later).detach()
    expected = Rotation.from_rotvec(motion[:, :3].detach().numpy()).as_matrix()
    assert motion[:, :3].abs().max() > 0.1
    # Processors sum in other orders; angles of radians keep the fifth digit of what comes of it.
    torch.testing.assert_close(
        pose[:, :3, :3].double(), torch.from_numpy(expected), atol=1e-4, rtol=0
    )
    torch.testing.assert_close(pose[:, :3, 3], motion[:, 3:6], atol=1e-4, rtol=1e-4)


def test_gradients_reach_every_parameter(network: nn.Module) -> None:
    pose = network(*pair())
    (pose * torch.randn_like(pose)).sum().backward()
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().max() > 0, name
    if isinstance(network, SeparateResNetPose):
        assert network.net[3].weight.grad[6:].abs().max() == 0


def test_learns_a_motion(network: nn.Module) -> None:
    earlier, later = pair(size=(64, 64))
    target = torch.eye(4).repeat(2, 1, 1)
    target[:, :3, 3] = torch.tensor([[0.02, 0.0, 0.05], [-0.02, 0.01, 0.03]])
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-3)
    losses = []
    for _ in range(25):
        loss = (network(earlier, later) - target).abs().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_bfloat16_autocast_keeps_the_pose_rigid(network: nn.Module) -> None:
    """With large motions: those of a fresh network are too small to show a rounded rotation."""
    last = network.net[3] if isinstance(network, SeparateResNetPose) else network.motion
    with torch.no_grad():
        last.bias.copy_(40 * torch.randn(last.bias.shape))
    images = pair()
    exact = network(*images)
    with torch.autocast("cpu", torch.bfloat16):
        rough = network(*images)
    assert rough.dtype == torch.float32
    rotation = rough[:, :3, :3]
    identity = torch.eye(3).expand(2, 3, 3)
    assert (rotation - identity).abs().max() > 0.1
    torch.testing.assert_close(rotation @ rotation.mT, identity, atol=1e-6, rtol=0)
    torch.testing.assert_close(rough, exact, atol=1e-3, rtol=0)


def test_pretrained_weights_are_shared_by_both_images(
    tiny: Callable[[str], str], tmp_path: Path
) -> None:
    Backbone(tiny("resnet"), "none").pyramid.network.save_pretrained(tmp_path)
    network = SeparateResNetPose(tiny("resnet"), tmp_path)
    first = network.backbone.pyramid.network.embedder.embedder.convolution.weight
    torch.testing.assert_close(first[:, :3], first[:, 3:], rtol=0, atol=0)


def test_other_backbones_are_refused(tiny: Callable[[str], str]) -> None:
    with pytest.raises(
        ValueError,
        match=r"pose: expected a ResNet \(resnet18, resnet34, resnet50, resnet101, resnet50-half\)",
    ):
        SeparateResNetPose(tiny("swinv2"), "none")


def test_the_pose_network_of_packnet() -> None:
    """Its count of parameters, and one small rigid motion for each source, in their order."""
    network = PackNetPose()
    assert sum(p.numel() for p in network.parameters()) == 1_592_684
    target, *sources = torch.rand(3, 2, 3, 70, 90)
    poses = network(target, sources)
    assert [tuple(pose.shape) for pose in poses] == [(2, 4, 4)] * 2
    for pose in poses:
        rotation = pose[:, :3, :3]
        torch.testing.assert_close(
            rotation @ rotation.mT, torch.eye(3).expand(2, 3, 3), atol=1e-6, rtol=0
        )
        assert 0 < (pose - torch.eye(4)).abs().max() < 0.05
    with torch.no_grad():
        nn.init.zeros_(network.motion.weight)
        bias = torch.arange(12.0)
        network.motion.bias.copy_(bias)
    first, second = network(target, sources)
    torch.testing.assert_close(first[:, :3, 3], 0.01 * bias[:3].expand(2, 3))
    torch.testing.assert_close(second[:, :3, 3], 0.01 * bias[6:9].expand(2, 3))
    angles = Rotation.from_euler("XYZ", 0.01 * bias[9:].numpy()).as_matrix()
    torch.testing.assert_close(second[0, :3, :3], torch.from_numpy(angles).float())


def test_the_resnet_pose_of_packnet_is_shown_the_target_first(tiny: Callable[[str], str]) -> None:
    """Whichever is the earlier; rotations are Euler angles; any number of sources."""
    network = TargetFirstResNetPose(tiny("resnet"), "none").eval()
    target, *sources = torch.rand(4, 2, 3, 64, 96)
    with torch.no_grad():
        network.pair.net[3].weight.mul_(100)
        poses = network(target, sources)
        motions = [network.pair.motion(target, source) for source in sources]
    assert len(poses) == 3
    for pose, motion in zip(poses, motions, strict=True):
        torch.testing.assert_close(pose[:, :3, 3], motion[:, 3:])
        angles = Rotation.from_euler("XYZ", motion[:, :3].numpy()).as_matrix()
        torch.testing.assert_close(pose[:, :3, :3], torch.from_numpy(angles).float())


def test_pictures_are_brought_to_the_size_that_is_wanted(tiny: Callable[[str], str]) -> None:
    network = SeparateResNetPose(tiny("resnet"), "none", size=(64, 96)).eval()
    plain = SeparateResNetPose(tiny("resnet"), "none").eval()
    plain.load_state_dict(network.state_dict())
    first, second = pair(size=(128, 192))
    small = [
        functional.interpolate(x, (64, 96), mode="bilinear", antialias=True)
        for x in (first, second)
    ]
    torch.testing.assert_close(network(first, second), plain(*small))
    assert not torch.allclose(network(first, second), plain(first, second))
    torch.testing.assert_close(network(*small), plain(*small))
