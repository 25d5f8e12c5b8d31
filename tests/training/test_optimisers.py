"""Parameter groups by rule: rates, decay, frozen parameters, frozen batch norms."""

import copy
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
import yaml
from jsonargparse import ArgumentParser
from scenes import plane_batch
from small_models import predictor_config, write_tiny_backbone
from torch import nn

from leadline.recipes import recipe_text
from leadline.training.module import DepthTraining
from leadline.training.optimisers import ParameterRule, freeze_by_rule, parameter_groups
from leadline.training.step import training_step


def network() -> nn.ModuleDict:
    return nn.ModuleDict({"depth": nn.Linear(2, 3), "pose": nn.Linear(4, 5)})


def test_the_first_rule_wins_and_the_rest_keeps_the_base() -> None:
    module = network()
    rules = [ParameterRule(r"pose.*bias", 3.0, weight_decay=0.0), ParameterRule("pose", 2.0)]
    groups = parameter_groups(module, 1e-4, rules)
    optimiser = torch.optim.AdamW(groups, lr=1e-4, weight_decay=0.1)
    shapes = [[tuple(p.shape) for p in group["params"]] for group in optimiser.param_groups]
    assert shapes == [[(5,)], [(5, 4)], [(3, 2), (3,)]]
    assert [group["lr"] for group in optimiser.param_groups] == pytest.approx([3e-4, 2e-4, 1e-4])
    assert [group["weight_decay"] for group in optimiser.param_groups] == [0.0, 0.1, 0.1]


def test_a_factor_of_zero_freezes_before_any_optimiser_is_made() -> None:
    module = network()
    rules = [ParameterRule("depth", lr_factor=0)]
    freeze_by_rule(module, rules)
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, True]
    (group,) = parameter_groups(module, 1e-4, rules)
    assert len(group["params"]) == 2


def test_a_rule_that_finds_nothing_is_named() -> None:
    with pytest.raises(ValueError, match=r"'psoe'; names look like depth\.weight"):
        freeze_by_rule(network(), [ParameterRule("psoe")])
    with pytest.raises(ValueError, match="'pose' finds no batch norm"):
        freeze_by_rule(network(), [ParameterRule("pose", frozen_batch_norm=True)])


def normed_network() -> nn.Sequential:
    """Parts 1 and 4 are batch norms, which have measured a batch."""
    torch.manual_seed(0)
    parts = [nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Conv2d(4, 4, 3), nn.ReLU()]
    module = nn.Sequential(*parts, nn.BatchNorm2d(4, affine=False))
    module(torch.rand(5, 3, 9, 9))
    return module


def changed_by_a_step(module: nn.Module, rules: Sequence[ParameterRule]) -> set[str]:
    """Names of weights and statistics that one step in training mode moves."""
    before = copy.deepcopy(module.state_dict())
    loss = (module.eval().train()(torch.rand(5, 3, 9, 9)) * torch.rand(4, 1, 1)).square().sum()
    if groups := parameter_groups(module, 0.1, rules):
        loss.backward()
        torch.optim.AdamW(groups, weight_decay=0.1).step()
    return {name for name, value in module.state_dict().items() if not value.equal(before[name])}


def statistics(part: int) -> set[str]:
    return {f"{part}.{name}" for name in ("running_mean", "running_var", "num_batches_tracked")}


CONVOLUTIONS = {"0.weight", "0.bias", "2.weight", "2.bias"}
NORM = {"1.weight", "1.bias"}


@pytest.mark.parametrize(
    ("rules", "changed"),
    [
        ([], CONVOLUTIONS | NORM | statistics(1) | statistics(4)),
        ([ParameterRule(".", frozen_batch_norm=True)], CONVOLUTIONS),
        ([ParameterRule(r"^[01]\.", frozen_batch_norm=True)], CONVOLUTIONS | statistics(4)),
        ([ParameterRule(".", lr_factor=0)], statistics(1) | statistics(4)),
        ([ParameterRule(".", lr_factor=0, frozen_batch_norm=True)], set()),
        (
            [ParameterRule("^1"), ParameterRule("", frozen_batch_norm=True)],
            CONVOLUTIONS | NORM | statistics(1),
        ),
    ],
)
def test_a_frozen_batch_norm_stays_what_it_was_and_nothing_else_does(
    rules: list[ParameterRule], changed: set[str]
) -> None:
    module = normed_network()
    freeze_by_rule(module, rules)
    assert changed_by_a_step(module, rules) == changed


def test_a_recipe_freezes_the_batch_norms_of_a_backbone_alone(tmp_path: Path) -> None:
    """Over a whole step of the training, with the decoder's learning beside it."""
    model = yaml.safe_load(recipe_text("depth_hints_s"))["model"]
    model["predictor"] = predictor_config(str(write_tiny_backbone(tmp_path / "tiny")))
    model["groups"] = [{"match": r"depth\.backbone", "frozen_batch_norm": True}]
    parser = ArgumentParser(exit_on_error=False)
    parser.add_class_arguments(DepthTraining, "model")
    module: DepthTraining = parser.instantiate(parser.parse_object({"model": model})).model
    norms = [name for name, part in module.named_modules() if isinstance(part, nn.BatchNorm2d)]
    before = copy.deepcopy(module.state_dict())
    optimiser = module.configure_optimizers()["optimizer"]
    batch = plane_batch(size=(32, 64))
    step = training_step(module.train().predictor, module.explainer, module.objective, batch)
    step.loss.backward()
    optimiser.step()
    still = {name for name, value in module.state_dict().items() if value.equal(before[name])}
    assert norms
    assert still == {name for name in before if name.rpartition(".")[0] in norms}


def test_a_frozen_batch_norm_stays_so_in_a_copy() -> None:
    module = normed_network()
    freeze_by_rule(module, [ParameterRule(".", frozen_batch_norm=True)])
    other = copy.deepcopy(module).train()
    assert not other[1].training
    assert other[0].training
    other.eval()
    module.train()
    assert not other[0].training
    assert module[0].training
