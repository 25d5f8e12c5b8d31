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


def parameter_groups(
    module: nn.Module, learning_rate: float, rules: Sequence[ParameterRule]
) -> list[dict[str, Any]]:
    """Optimiser groups of `module`: one per rule, and one for the parameters that no rule finds.

    Raises:
        ValueError: a rule finds no parameter, which is nearly always a misspelt name.
    """
    found: list[list[nn.Parameter]] = [[] for _ in range(len(rules) + 1)]
    for name, parameter in module.named_parameters():
        matching = (k for k, rule in enumerate(rules) if re.search(rule.match, name))
        found[next(matching, len(rules))].append(parameter)
    groups = []
    for rule, parameters in zip(rules, found, strict=False):
        if not parameters:
            examples = ", ".join(name for name, _ in list(module.named_parameters())[:3])
            raise ValueError(
                f"groups: no parameter's name matches {rule.match!r}; names look like {examples}"
            )
        if rule.lr_factor == 0:
            for parameter in parameters:
                parameter.requires_grad_(False)
            continue
        group: dict[str, Any] = {"params": parameters, "lr": learning_rate * rule.lr_factor}
        if rule.weight_decay is not None:
            group["weight_decay"] = rule.weight_decay
        groups.append(group)
    if found[-1]:
        groups.append({"params": found[-1]})
    return groups
