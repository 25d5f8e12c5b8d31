"""What is left to the machine is chosen by what it gains; losses stay float32 under all of it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from scenes import plane_batch

from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.smoothness import Smoothness
from leadline.losses.term import Objective, Weighted
from leadline.networks.depth import DepthNetwork
from leadline.networks.pose import PoseCNN
from leadline.synthesis.errors import Explainer
from leadline.synthesis.predict import DepthAndPose
from leadline.training.precision import Precision, chosen_precision
from leadline.training.recipe import as_yaml, read_recipe
from leadline.training.step import Step, training_step

SOURCE = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "photos"}}


def machine(
    monkeypatch: pytest.MonkeyPatch, instructions: str | None = None, bf16_gpu: bool | None = None
) -> None:
    """A machine whose processor has these instructions, and whose GPU, if any, has bf16 or not."""
    capabilities = {"avx2": True, "amx_bf16": False} | (
        {instructions: True} if instructions else {}
    )
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: bf16_gpu is not None)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: bf16_gpu)


@pytest.mark.parametrize(
    ("wanted", "accelerator", "has", "chosen"),
    [
        ("auto", "auto", {}, "32-true"),
        ("auto", "cpu", {"instructions": "amx_bf16"}, "bf16-mixed"),
        ("auto", "auto", {"instructions": "avx512_bf16"}, "bf16-mixed"),
        ("auto", "auto", {"bf16_gpu": True}, "bf16-mixed"),
        ("auto", "gpu", {"bf16_gpu": False, "instructions": "amx_bf16"}, "32-true"),
        ("auto", "cpu", {"bf16_gpu": True}, "32-true"),
        ("auto", "mps", {"instructions": "amx_bf16"}, "32-true"),
        ("32-true", "auto", {"bf16_gpu": True}, "32-true"),
        ("16-mixed", "cpu", {}, "16-mixed"),
    ],
)
def test_bfloat16_is_chosen_where_a_machine_gains_by_it(
    monkeypatch: pytest.MonkeyPatch,
    wanted: Precision,
    accelerator: str,
    has: dict[str, Any],
    chosen: Precision,
) -> None:
    machine(monkeypatch, **has)
    assert chosen_precision(wanted, accelerator) == chosen


def test_the_configuration_of_a_run_says_what_was_chosen(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    machine(monkeypatch, "amx_bf16")
    given = {"data": {"source": SOURCE}}
    config = read_recipe("demo", given, ["--run.precision=auto", "--run.accelerator=cpu"])
    assert "precision: bf16-mixed" in as_yaml(config)
    # Of itself no recipe lets the machine decide about its numbers.
    assert "precision: 32-true" in as_yaml(read_recipe("demo", given))


def test_losses_are_float32_and_hardly_moved_under_bfloat16() -> None:
    torch.manual_seed(0)
    network = DepthAndPose(DepthNetwork("resnet18", "none"), PoseCNN()).eval()
    terms = {
        "reprojection": Weighted(Reprojection(average_over="kept", hint_competes=True)),
        "hint": Weighted(ProxySupervision(believe="everywhere")),
        "smoothness": Weighted(Smoothness()),
    }
    batch, objective = plane_batch(size=(64, 96)), Objective(terms)

    def step(enabled: bool) -> Step:
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            return training_step(network, Explainer(), objective, batch)

    exact, mixed = step(False), step(True)
    depths = [found.scene.predictions.depth.values() for found in (exact, mixed)]
    assert not torch.equal(*(next(iter(maps))[0] for maps in depths))
    for part in mixed.parts.values():
        assert part.sum.dtype == torch.float32
    errors = mixed.scene.errors
    assert errors.predicted is not None
    assert {error.dtype for error in errors.predicted.values()} == {torch.float32}
    assert {pose.dtype for pose in mixed.scene.predictions.poses.values()} == {torch.float32}
    torch.testing.assert_close(mixed.loss, exact.loss, rtol=0.02, atol=0)
