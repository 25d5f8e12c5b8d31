"""Parameter groups by rule: what learns how fast, decays how much, or stays as it is."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm


@dataclass(frozen=True)
class ParameterRule:
    """Settings of the parameters whose name a regular expression finds; the first rule wins."""

    match: str
    lr_factor: float = 1.0
    """Times the base learning rate; 0 keeps the parameters as they are, but not the statistics of
    batch norms among them: these follow the batches, unless `frozen_batch_norm`."""
    weight_decay: float | None = None
    """Instead of the optimiser's own."""
    frozen_batch_norm: bool = False
    """Keep statistics and weights of the batch norms whose weight is found as they were loaded, for
    batches too small to measure them."""


def freeze_by_rule(module: nn.Module, rules: Sequence[ParameterRule]) -> None:
    """Freeze the parameters whose rule has the factor 0, and the batch norms whose rule says so.

    Before the module is handed to other processes: these wait for a gradient of every parameter
    that asks for one.

    Raises:
        ValueError: a rule finds no parameter, which is nearly always a misspelt name, or no batch
            norm to freeze.
    """
    norms = _batch_norms_by_rule(module, rules)
    for rule, parameters, found in zip(rules, _by_rule(module, rules), norms, strict=False):
        if not parameters:
            examples = ", ".join(name for name, _ in list(module.named_parameters())[:3])
            raise ValueError(
                f"groups: no parameter's name matches {rule.match!r}; names look like {examples}"
            )
        if rule.lr_factor == 0:
            for parameter in parameters:
                parameter.requires_grad_(False)
        if rule.frozen_batch_norm:
            if not found:
                raise ValueError(
                    f"groups: {rule.match!r} finds no batch norm; leave frozen_batch_norm out"
                )
            for norm in found:
                _freeze_batch_norm(norm)


def parameter_groups(
    module: nn.Module, learning_rate: float, rules: Sequence[ParameterRule]
) -> list[dict[str, Any]]:
    """Optimiser groups of what learns: one per rule, and one for what no rule finds."""
    *by_rule, others = (
        [parameter for parameter in parameters if parameter.requires_grad]
        for parameters in _by_rule(module, rules)
    )
    groups = []
    for rule, parameters in zip(rules, by_rule, strict=True):
        group: dict[str, Any] = {"params": parameters, "lr": learning_rate * rule.lr_factor}
        if rule.weight_decay is not None:
            group["weight_decay"] = rule.weight_decay
        groups.append(group)
    return [group for group in [*groups, {"params": others}] if group["params"]]


def _freeze_batch_norm(norm: _BatchNorm) -> None:
    norm.requires_grad_(False)
    # Whatever holds the norm calls this, to switch all of its parts to training.
    norm.train = partial(_stay_in_evaluation, norm)  # type: ignore[method-assign]
    norm.train()


def _stay_in_evaluation(norm: _BatchNorm, mode: bool = True) -> _BatchNorm:
    return nn.Module.train(norm, False)


def _batch_norms_by_rule(
    module: nn.Module, rules: Sequence[ParameterRule]
) -> list[list[_BatchNorm]]:
    """The batch norms of each rule, by the names that their weights have or would have."""
    found: list[list[_BatchNorm]] = [[] for _ in range(len(rules) + 1)]
    for name, part in module.named_modules():
        if isinstance(part, _BatchNorm):
            found[_first_match(f"{name}.weight".lstrip("."), rules)].append(part)
    return found


def _by_rule(module: nn.Module, rules: Sequence[ParameterRule]) -> list[list[nn.Parameter]]:
    """The parameters of each rule, and last those of none."""
    found: list[list[nn.Parameter]] = [[] for _ in range(len(rules) + 1)]
    for name, parameter in module.named_parameters():
        found[_first_match(name, rules)].append(parameter)
    return found


def _first_match(name: str, rules: Sequence[ParameterRule]) -> int:
    """Which rule is the first to find a name; their number if none does."""
    matching = (k for k, rule in enumerate(rules) if re.search(rule.match, name))
    return next(matching, len(rules))
