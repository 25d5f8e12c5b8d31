"""Parameter groups by rule: which parameters learn how fast, decay how much, or not at all."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class ParameterRule:
    """Settings of the parameters whose name a regular expression finds; the first rule wins."""

    match: str
    lr_factor: float = 1.0
    """Times the base learning rate; 0 freezes the parameters."""
    weight_decay: float | None = None
    """Instead of the optimiser's own."""


def freeze_parameters(module: nn.Module, rules: Sequence[ParameterRule]) -> None:
    """Stop the gradients of the parameters whose rule has the factor 0.

    Before the module is handed to other processes: these wait for a gradient of every parameter
    that asks for one.

    Raises:
        ValueError: a rule finds no parameter, which is nearly always a misspelt name.
    """
    for rule, parameters in zip(rules, _by_rule(module, rules), strict=False):
        if not parameters:
            examples = ", ".join(name for name, _ in list(module.named_parameters())[:3])
            raise ValueError(
                f"groups: no parameter's name matches {rule.match!r}; names look like {examples}"
            )
        if rule.lr_factor == 0:
            for parameter in parameters:
                parameter.requires_grad_(False)


def parameter_groups(
    module: nn.Module, learning_rate: float, rules: Sequence[ParameterRule]
) -> list[dict[str, Any]]:
    """Optimiser groups of `module`: one per rule, and one for the parameters that no rule finds."""
    *by_rule, others = _by_rule(module, rules)
    groups = []
    for rule, parameters in zip(rules, by_rule, strict=True):
        if rule.lr_factor == 0:
            continue
        group: dict[str, Any] = {"params": parameters, "lr": learning_rate * rule.lr_factor}
        if rule.weight_decay is not None:
            group["weight_decay"] = rule.weight_decay
        groups.append(group)
    return [*groups, {"params": others}] if others else groups


def _by_rule(module: nn.Module, rules: Sequence[ParameterRule]) -> list[list[nn.Parameter]]:
    """The parameters of each rule, and last those of none."""
    found: list[list[nn.Parameter]] = [[] for _ in range(len(rules) + 1)]
    for name, parameter in module.named_parameters():
        matching = (k for k, rule in enumerate(rules) if re.search(rule.match, name))
        found[next(matching, len(rules))].append(parameter)
    return found
