"""The networks of Deep Feature Reconstruction: layers, first depths, what a sum of scores is."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from leadline.geometry.pose import matrix_to_rotvec
from leadline.networks.architectures import PRESETS
from leadline.networks.backbone import Backbone
from leadline.networks.dfr import ConnectedPose, SkipScoreNetwork


def test_the_backbone_is_half_as_wide() -> None:
    backbone = Backbone("resnet50-half", "none")
    assert backbone.channels == (64, 128, 256, 512, 1024)
    assert backbone.strides == (2, 4, 8, 16, 32)
    stages = backbone.pyramid.network.encoder.stages
    assert [len(stage.layers) for stage in stages] == [3, 4, 6, 3]
    first = stages[1].layers[0].layer
    convolutions = [m for m in first.modules() if isinstance(m, nn.Conv2d)]
    assert [c.out_channels for c in convolutions] == [64, 64, 256]
    # The stride is that of the first 1x1 convolution.
    assert [c.stride for c in convolutions] == [(2, 2), (1, 1), (1, 1)]


def test_it_has_no_weights_on_the_hub() -> None:
    assert PRESETS["resnet50-half"].hub_id is None
    with pytest.raises(ValueError, match="a preset without weights there"):
        Backbone("resnet50-half", "hub")


def test_depth_is_a_sum_of_scores() -> None:
    network = SkipScoreNetwork("resnet18", "none").eval()
    for score in network.scores.says:
        nn.init.normal_(score.weight, std=0.01)
    image = torch.rand(1, 3, 64, 96)
    raw = network(image)
    assert list(raw.depth) == [0]
    assert raw.depth[0].shape == (1, 1, 64, 96)
    maps = network.backbone(image)
    total = 0
    for level, (values, score) in enumerate(zip(maps, network.scores.says, strict=True)):
        scale = network.scores.scales[level] if level < 4 else 1.0
        said = score(values * scale)
        # A map at stride 2^(level + 1) is enlarged level + 1 times, the last time without doubling.
        for step in range(level + 1):
            said = functional.interpolate(said, scale_factor=2, mode="bilinear")
            said = said * 2 if step < level else said
        total = total + said
    expected = 1 / (functional.relu(0.01 * total) + 1e-4)
    torch.testing.assert_close(raw.depth[0], expected, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_every_pixel_can_learn_at_first(seed: int) -> None:
    torch.manual_seed(seed)
    network = SkipScoreNetwork("resnet50-half" if seed < 2 else "resnet18", "none")
    depth = network(torch.rand(2, 3, 64, 64)).depth[0]
    depth.sum().backward()
    # 0.01 at stride 32, doubled four times, times 0.01.
    torch.testing.assert_close(depth, torch.full_like(depth, 1 / 1.7e-3))
    assert network.scores.says[-1].weight.grad.abs().sum() > 0


def test_layers_of_the_pose_network() -> None:
    network = ConnectedPose()
    weights = [layer.weight.numel() for layer in network.layers]
    channels, kernels = (6, 16, 32, 64, 128, 256, 256), (7, 5, 3, 3, 3, 3)
    assert weights == [
        a * b * k**2 for a, b, k in zip(channels, channels[1:], kernels, strict=False)
    ]
    assert network.hidden[0].in_features == 7680
    # At the paper's size the cells of the grid are the pixels of the last map.
    x = torch.rand(1, 6, 160, 608)
    for layer in network.layers:
        x = layer(x)
    assert tuple(x.shape[2:]) == (3, 10)
    assert network(torch.rand(2, 3, 48, 80), torch.rand(2, 3, 48, 80)).shape == (2, 4, 4)


def test_the_translation_is_turned_before_it_is_made() -> None:
    network = ConnectedPose()
    nn.init.zeros_(network.motion.weight)
    motion = torch.tensor([0.1, -0.2, 0.3, 1.0, 2.0, -1.0])
    with torch.no_grad():
        network.motion.bias.copy_(motion)
    pose = network(torch.rand(1, 3, 32, 64), torch.rand(1, 3, 32, 64))
    torch.testing.assert_close(matrix_to_rotvec(pose[:, :3, :3])[0], motion[:3])
    torch.testing.assert_close(pose[0, :3, :3].mT @ pose[0, :3, 3], motion[3:])


def test_a_backbone_without_a_map_at_stride_2_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a backbone with maps at strides 2 to 32"):
        SkipScoreNetwork("convnextv2-atto", "none")
