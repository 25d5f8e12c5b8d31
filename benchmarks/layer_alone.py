"""The layer of bundle adjustment by itself: from a pose that is off, at true depth, where does it
end?
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence

import numpy as np
import torch
from posed_worlds import NEXT, World
from torch import Tensor, nn
from torch.nn import functional

from leadline.geometry.camera import resize_intrinsics
from leadline.geometry.pose import compose_poses, matrix_to_rotvec, pose_from_rotvec
from leadline.geometry.ranges import depth_to_range
from leadline.networks.banet import BANet
from leadline.networks.bundle_adjustment import LEAST_DAMPING, BundleAdjustment, Level, RangeMaps
from leadline.offset import TARGET
from leadline.types import Batch

TURNED, MOVED = 2.0, 0.1
"""Degrees, and share of the way, by which the layer's start is off."""
SHRUNK, COLOUR_STEPS = (4, 2, 1), 8
"""By which pictures are shrunk, coarse to fine, and steps at each size."""
NORMING = 20
"""Pairs that the norms of random weights see."""


def random_features(trained: BANet, backbone: str, seed: int, world: World) -> BANet:
    """The same layer, damping and all, on a pyramid of random weights whose norms have seen the
    pictures.
    """
    torch.manual_seed(seed)
    network = BANet(backbone, "none")
    assert network.adjustment is not None
    assert trained.adjustment is not None
    network.adjustment.load_state_dict(trained.adjustment.state_dict())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            # The mean of all that it sees, instead of a running one.
            module.momentum = None
            module.reset_running_stats()
    network.train()
    with torch.no_grad():
        for batch in world.batches(world.frames_trained_on()[:NORMING]):
            network.levels(batch)
    return network.eval()


def pose_error(found: Tensor, truth: Tensor) -> tuple[float, float, float]:
    """Degrees, the translation's error as a share of the way, and in millimetres."""
    turned = matrix_to_rotvec(found[:, :3, :3] @ truth[:, :3, :3].mT).norm(dim=1).item()
    off, way = ((found - truth)[:, :3, 3].norm(dim=1), truth[:, :3, 3].norm(dim=1))
    return math.degrees(turned), (off / way.clamp(min=1e-6)).item(), 1000 * off.item()


class FixedDamping(nn.Module):
    """As little as the layer allows."""

    def forward(self, residual: Tensor) -> Tensor:
        return torch.full((len(residual),), LEAST_DAMPING)


def layer_of_colours() -> BundleAdjustment:
    layer = BundleAdjustment(3, len(SHRUNK), COLOUR_STEPS, joint_levels=0)
    layer.dampings = nn.ModuleList(FixedDamping() for _ in SHRUNK)
    return layer


def colours(batch: Batch) -> list[Level]:
    """The pictures at several sizes as features, each less its mean: exposures differ."""
    assert batch.intrinsics is not None
    camera, levels = batch.intrinsics[TARGET][0], []
    for factor in SHRUNK:
        size = (batch.size[0] // factor, batch.size[1] // factor)
        target, source = (
            functional.avg_pool2d(image - image.mean((2, 3), keepdim=True), factor)
            for image in (batch.images[TARGET], batch.images[NEXT])
        )
        small = resize_intrinsics(camera, batch.size, size)[None]
        levels.append(Level(target, source[:, None], small, small[:, None]))
    return levels


def led(layer: BundleAdjustment, levels: Sequence[Level], start: Tensor, batch: Batch) -> Tensor:
    """Where the layer ends from a start in metres, at true depth."""
    assert batch.depth is not None
    assert batch.intrinsics is not None
    unit = torch.ones(4, 4)
    unit[:3, 3] = batch.unit
    camera = batch.intrinsics[TARGET]
    ranges = depth_to_range(batch.depth / batch.unit, camera)
    known = RangeMaps(ranges, torch.zeros_like(ranges), camera)
    return layer(levels, known, (start / unit)[:, None]).poses[:, 0] * unit


def perturbed(truth: Tensor, random: torch.Generator) -> Tensor:
    axis, way = torch.randn(2, 1, 3, generator=random)
    turn = pose_from_rotvec(math.radians(TURNED) * axis / axis.norm(), torch.zeros(1, 3))
    start = compose_poses(truth, turn)
    start[:, :3, 3] = truth[:, :3, 3] + MOVED * truth[:, :3, 3].norm() * way / way.norm()
    return start


@torch.no_grad()
def start_from_colours(world: World) -> list[float]:
    """Medians of how far the starts of `converged` are from where colours lead, as `pose_error`."""
    random, by_colours = torch.Generator().manual_seed(0), layer_of_colours()
    errors = []
    for batch in world.batches(world.tested):
        truth = batch.known_poses[NEXT]
        start = perturbed(truth, random)
        errors.append(pose_error(start, led(by_colours, colours(batch), truth, batch)))
    return np.median(errors, axis=0).tolist()


@torch.no_grad()
def converged(
    world: World, layer: BundleAdjustment, levels: Callable[[Batch], list[Level]]
) -> dict[str, list[float]]:
    """Pose errors before and after the layer's steps, from a start that is off, at true depth:
    medians over pairs, and the share of pairs that end nearer to the truth than they began.
    """
    random, by_colours = torch.Generator().manual_seed(0), layer_of_colours()
    layer.joint_levels = 0
    found: dict[str, list[tuple[float, float, float]]] = defaultdict(list)
    for batch in world.batches(world.tested):
        truth = batch.known_poses[NEXT]
        start = perturbed(truth, random)
        end = led(layer, levels(batch), start, batch)
        agreed = led(by_colours, colours(batch), truth, batch)
        found["before"].append(pose_error(start, truth))
        found["after"].append(pose_error(end, truth))
        found["from colours"].append(pose_error(end, agreed))
    medians = {name: np.median(errors, axis=0).tolist() for name, errors in found.items()}
    nearer = np.array(found["after"]) < np.array(found["before"])
    return medians | {"nearer": nearer.mean(0).tolist(), "pairs": [len(nearer)]}
