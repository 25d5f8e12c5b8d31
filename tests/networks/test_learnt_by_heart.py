"""Every supervised network, with its own loss, learns two pictures by heart, dropout off."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from scenes import plane_batch
from torch import Tensor
from torch.nn import functional

from leadline.losses.ordinal import OrdinalLikelihood
from leadline.losses.supervised import DepthResidual, ScaleInvariantLog, SILog
from leadline.losses.term import Objective, Term, Weighted
from leadline.networks.bts import BTS
from leadline.networks.depth import DepthModule
from leadline.networks.dorn import DORN
from leadline.networks.eigen import GRID, EigenNetwork
from leadline.networks.fcrn import FCRN
from leadline.networks.unet import LogDepthUNet
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import training_step
from leadline.types import Batch

SIZE = (64, 96)
LEARNT, MOST_STEPS = 0.02, 600
Case = tuple[Callable[[str], DepthModule], Callable[[], Term], float]
CASES: dict[str, Case] = {
    "eigen, coarse": (lambda _: EigenNetwork(SIZE, dropout=0.0), ScaleInvariantLog, 1e-4),
    "eigen, fine": (lambda _: EigenNetwork(SIZE, "fine"), ScaleInvariantLog, 1e-3),
    "unet": (
        lambda backbone: LogDepthUNet(backbone, "none", 5.0),
        lambda: ScaleInvariantLog(slopes=True),
        3e-3,
    ),
    "fcrn": (
        lambda backbone: FCRN(backbone, "none", dropout=0.0),
        lambda: DepthResidual("berhu"),
        3e-3,
    ),
    "bts": (lambda backbone: BTS(backbone, "none", maximum_depth=20.0), SILog, 3e-3),
    "dorn": (
        lambda backbone: DORN(backbone, "none", 1.0, 20.0, dropout=0.0),
        OrdinalLikelihood,
        3e-3,
    ),
}


def two_rooms() -> Batch:
    """A floor and a wall, and the same mirrored; no two pixels of the pictures are alike."""
    batch = plane_batch(size=SIZE)
    rows, columns = torch.linspace(9.0, 3.0, SIZE[0])[:, None], torch.linspace(0, 4, SIZE[1])
    room = torch.minimum(rows + 0 * columns, 3 + columns)
    depth = torch.stack([room, room.flip(1)])[:, None]
    # What is seen says where it is: shades of depth, rows and columns.
    shades = [depth / 10, 0 * depth + rows / 10, 0 * depth + columns / 4]
    picture = torch.cat(shades, 1).clamp(0, 1)
    images = dict.fromkeys(batch.images, picture)
    return replace(batch, images=images, inputs=images, depth=depth, unit=1.0)


def at_own_size(truth: Tensor, predicted: Tensor, network: DepthModule) -> tuple[Tensor, Tensor]:
    """Truth and prediction on the pixels that the network itself says."""
    if isinstance(network, EigenNetwork):
        rows, columns = (
            GRID.centre + GRID.stride * torch.arange(side) for side in network.map_size
        )
        return tuple(x[..., rows.long()[:, None], columns.long()] for x in (truth, predicted))  # type: ignore[return-value]
    return functional.interpolate(truth, predicted.shape[-2:], mode="area"), predicted


@pytest.mark.parametrize("name", CASES)
def test_two_pictures_are_learnt_by_heart(name: str, tiny: Callable[[str], str]) -> None:
    torch.manual_seed(0)
    build, term, rate = CASES[name]
    # FCRN halves the last map's channels five times: of few, nothing but a dead ReLU may be left.
    network, batch = build(tiny("wide")), two_rooms()
    predictor, objective = DepthAndPose(network), Objective({"depth": Weighted(term())})
    learning = [p for p in predictor.parameters() if p.requires_grad]
    optimiser = torch.optim.Adam(learning, lr=rate)
    assert batch.depth is not None
    least = 9.0
    for step in range(MOST_STEPS):
        taken = training_step(predictor, Explainer(), objective, batch, step)
        optimiser.zero_grad()
        taken.loss.backward()
        optimiser.step()
        maps = taken.scene.predictions.depth[TARGET]
        truth, predicted = at_own_size(batch.depth, maps[min(maps)], network)
        # Batch norms go by the batch itself, which is all that there is.
        least = min(least, ((predicted - truth).abs() / truth).mean().item())
        if least < LEARNT:
            break
    assert least < LEARNT
