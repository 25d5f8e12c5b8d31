"""The training step by itself: it learns, it stops at nonsense, and two processes are one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.multiprocessing as mp
from scenes import NEXT, plane_batch, without
from torch import Tensor, distributed, nn
from torch.utils._python_dispatch import TorchDispatchMode

from leadline.data.colour_jitter import jitter_by_formula
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.term import Objective, Weighted
from leadline.networks.depth import DepthNetwork
from leadline.networks.pose import PoseCNN
from leadline.offset import STEREO, TARGET
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.step import NonFiniteLoss, training_step
from leadline.types import Batch, Predictions


class Plane(nn.Module):
    """A predictor of one number: the inverse depth of everything, seen through the batch's mean."""

    def __init__(self, depth: float) -> None:
        super().__init__()
        self.inverse_depth = nn.Parameter(torch.tensor(1 / depth))

    def forward(self, batch: Batch) -> Predictions:
        shape = (len(batch), 1, *batch.size)
        return Predictions(
            depth={TARGET: {0: 1 / self.inverse_depth.expand(shape)}},
            poses={offset: batch.known_poses[offset] for offset in batch.sources},
        )


def objective() -> Objective:
    return Objective(
        {
            "reprojection": Weighted(Reprojection(average_over="kept", hint_competes=True)),
            "hint": Weighted(ProxySupervision()),
        }
    )


def test_training_finds_the_depth_of_a_plane() -> None:
    batch = plane_batch(count=1)
    predictor = Plane(14.0)
    optimiser = torch.optim.Adam(predictor.parameters(), lr=2e-3)
    for _ in range(60):
        optimiser.zero_grad()
        training_step(predictor, Explainer(), objective(), batch).loss.backward()
        optimiser.step()
    assert 1 / predictor.inverse_depth.item() == pytest.approx(10.0, rel=0.02)


def test_a_loss_that_is_not_a_number_names_its_term_and_frames() -> None:
    batch = plane_batch()
    images = {o: image.clone() for o, image in batch.images.items()}
    images[STEREO][1, 0, 3, 3] = torch.nan
    broken = replace(batch, images=images)
    with pytest.raises(NonFiniteLoss, match=r"objective\.reprojection .* plane 0, plane 1"):
        training_step(Plane(10.0), Explainer(), objective(), broken)


def test_a_pose_that_nobody_knows_names_its_frames() -> None:
    batch = plane_batch()
    poses = {o: pose.clone() for o, pose in batch.known_poses.items()}
    poses[STEREO][1] = torch.nan
    with pytest.raises(ValueError, match=r"the pose to frame stereo is neither .* for plane 1: "):
        training_step(Plane(10.0), Explainer(), objective(), replace(batch, known_poses=poses))
    absent = without(batch, STEREO, index=1)
    assert absent.known_poses[STEREO][1].isnan().all()
    assert training_step(Plane(10.0), Explainer(), objective(), absent).loss.isfinite()


class WaitsForDevice(TorchDispatchMode):
    """Counts the operations after which a host would have to wait for its GPU."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        name = str(function)
        if name.split(".")[1] in ("_local_scalar_dense", "_linalg_check_errors", "nonzero"):
            self.found.append(name)
        return function(*args, **(kwargs or {}))


def test_a_step_waits_once_for_its_device(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    network = DepthAndPose(DepthNetwork("resnet18", "none"), PoseCNN())
    batch = plane_batch(count=1, size=(64, 96))
    # The noise takes its seeds from the host, where they stay.
    assert batch.to("meta").seeds is batch.seeds
    copied: list[object] = []
    monkeypatch.setattr("leadline.synthesis.errors.counted_noise", lambda batch: 0.0)
    with monkeypatch.context() as patch, WaitsForDevice() as waits:
        for place, name in ((torch, "tensor"), (Tensor, "new_tensor"), (Tensor, "tolist")):
            patch.setattr(place, name, lambda *given, **_: copied.append(given))
        jitter_by_formula(batch.images[TARGET], torch.ones(1, 4))
        step = training_step(network, Explainer(), objective(), batch)
    assert waits.found == ["aten._local_scalar_dense.default"]
    assert not copied
    assert step.loss.isfinite()


def halves(batch: Batch) -> list[Batch]:
    def part(index: int) -> Batch:
        tensors = batch.map_tensors(lambda t: t[index : index + 1])
        return replace(tensors, ids=batch.ids[index : index + 1])

    return [part(0), part(1)]


def uneven_batch() -> Batch:
    """Two samples of which one has hints on a third of its pixels only."""
    batch = plane_batch()
    assert batch.hint is not None
    hint = batch.hint.clone()
    hint[1, :, 8:] = 0
    confidence = torch.linspace(0, 1, 40).expand_as(hint).where(hint > 0, 0.0)
    return replace(batch, hint=hint, hint_confidence=confidence)


def with_weights() -> Objective:
    """`objective` and hints weighted by confidence, which is another sum and another count."""
    trusted = ProxySupervision(believe="everywhere", weighting="confidence")
    found = {name: Weighted(term) for name, term in objective().terms.items()}
    return Objective(found | {"trusted": Weighted(trusted)})


def gradient_of(predictor: Plane) -> Tensor:
    assert predictor.inverse_depth.grad is not None
    return predictor.inverse_depth.grad


def pooled_gradient() -> Tensor:
    """Of both halves in one process: sums and counts added before they are divided."""
    predictor, weights = Plane(13.0), with_weights()
    steps = [
        training_step(predictor, Explainer(), weights, half) for half in halves(uneven_batch())
    ]
    pooled = {
        name: replace(
            value,
            sum=value.sum + steps[1].parts[name].sum,
            count=value.count + steps[1].parts[name].count,
        )
        for name, value in steps[0].parts.items()
    }
    weights.total(pooled).backward()
    return gradient_of(predictor)


def rank_gradient(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2
    )
    predictor = nn.parallel.DistributedDataParallel(Plane(13.0))
    half = halves(uneven_batch())[rank]
    training_step(predictor, Explainer(), with_weights(), half).loss.backward()
    torch.save(gradient_of(predictor.module), f"{folder}/gradient_{rank}.pt")
    distributed.destroy_process_group()


def test_two_processes_get_the_gradient_of_one(tmp_path: Path) -> None:
    mp.spawn(rank_gradient, args=(str(tmp_path),), nprocs=2)
    gradients = [torch.load(tmp_path / f"gradient_{rank}.pt", weights_only=True) for rank in (0, 1)]
    torch.testing.assert_close(gradients[0], gradients[1])
    torch.testing.assert_close(gradients[0], pooled_gradient())


def test_where_counts_are_equal_it_is_the_mean_of_the_gradients_of_the_halves() -> None:
    batch, gradients = plane_batch(), []
    plain = Objective({"reprojection": Weighted(Reprojection(automask=False))})
    for part in (batch, *halves(batch)):
        predictor = Plane(13.0)
        training_step(predictor, Explainer(), plain, part).loss.backward()
        gradients.append(gradient_of(predictor))
    torch.testing.assert_close(gradients[0], (gradients[1] + gradients[2]) / 2)


class Astray(nn.Module):
    """A network whose depth, or whose motion, is no number any more."""

    def __init__(self, part: str) -> None:
        super().__init__()
        self.part = part

    def forward(self, batch: Batch) -> Predictions:
        depth = torch.full((len(batch), 1, *batch.size), 10.0)
        poses = {o: batch.known_poses[o].clone() for o in batch.sources}
        if self.part == "depth":
            depth[0, 0, 3, 4] = torch.nan
        else:
            # As Rodrigues' formula makes it of a vector that is none: the last row stays.
            poses[NEXT][0, :3] = torch.nan
        return Predictions(depth={TARGET: {0: depth.requires_grad_()}}, poses=poses)


@pytest.mark.parametrize("part", ["depth", "motion"])
def test_what_is_no_number_is_found_though_the_sampler_hides_it(part: str) -> None:
    """Its derivative at such a coordinate would bring the process down."""
    lone = Objective({"reprojection": Weighted(Reprojection(automask=False))})
    with pytest.raises(NonFiniteLoss, match=f"the network's {part} is not finite"):
        training_step(Astray(part), Explainer(), lone, plane_batch())
