"""Parameter groups by rule: rates, decay, frozen parameters."""

import pytest
import torch
from torch import nn

from leadline.training.optimisers import ParameterRule, freeze_parameters, parameter_groups


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
    freeze_parameters(module, rules)
    assert [p.requires_grad for p in module.parameters()] == [False, False, True, True]
    (group,) = parameter_groups(module, 1e-4, rules)
    assert len(group["params"]) == 2


def test_a_rule_that_finds_nothing_is_named() -> None:
    with pytest.raises(ValueError, match=r"'psoe'; names look like depth\.weight"):
        freeze_parameters(network(), [ParameterRule("psoe")])
