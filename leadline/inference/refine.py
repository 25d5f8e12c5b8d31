"""Online refinement: a trained network goes on learning on what it is about to predict, for a few
steps, and forgets it afterwards.

Self-supervision needs no truth, so that it can be had at test time as well [featdepth]. Steps that
make the loss no smaller are taken back.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from leadline.inference.depth_prior import DepthByScale, DepthPrior, has_partner
from leadline.losses.term import Need, Objective, Weighted
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer
from leadline.training.optimisers import ParameterRule, freeze_by_rule, parameter_groups
from leadline.training.step import NonFiniteLoss, training_step
from leadline.types import Batch

PerWhat = Literal["sample", "sequence"]
TRUTH: frozenset[Need] = frozenset({"depth", "true_poses"})
"""What refinement never looks at, though a data set may have it."""
OF_FEATURES: frozenset[Need] = frozenset({"feature_pyramid", "reconstruction"})
"""What shapes features that are learnt beside; at test time they stay as they are."""
EXPLAINING: frozenset[Need] = frozenset({"predicted", "features"})
"""One of these must be left, or there is nothing to learn from at test time."""
FROZEN_PART = "extractor."
"""Of a predictor: features that are compared stay what they are."""


@dataclass(frozen=True)
class RefineSettings:
    """How a network is refined.

    Per sample every frame starts from the trained weights, looks at itself and its neighbours
    `iterations` times, and is predicted, as [featdepth] says; per sequence the network looks at all
    frames of a sequence that are asked for so many times, in batches, before it predicts them.

    Departure: the released code of [featdepth] looks at all sequences of the test together, and has
    no prior: see `DepthPrior`, and benchmarks/refinement.md for what it is good for.

    Raises:
        ValueError: no iteration, an empty batch, a rate that is no number above 0, or a weight
            below 0.
    """

    iterations: int = 20
    per: PerWhat = "sample"
    learning_rate: float = 1e-4
    batch_size: int = 2
    """Per sequence."""
    seed: int = 0
    """Of the order in which frames of a sequence are looked at."""
    prior: float = 0.05
    """Weight of how far depth departs from that of the trained network; 0: none."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations: expected 1 or more, got {self.iterations}")
        if self.batch_size < 1:
            raise ValueError(f"batch size: expected 1 or more, got {self.batch_size}")
        if not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning rate: expected a number above 0, got {self.learning_rate}")
        if not 0 <= self.prior < math.inf:
            raise ValueError(f"prior: expected a weight of 0 or more, got {self.prior}")

    def __str__(self) -> str:
        text = f"{self.iterations} iterations per {self.per} at {self.learning_rate:g}"
        text += f" with prior {self.prior:g}"
        if self.per == "sequence":
            text += f", batches of {self.batch_size}, order {self.seed}"
        return text


@dataclass(frozen=True)
class Refined:
    """What came of one frame, or of one sequence."""

    before: float
    after: float
    """Loss of the weights that predict: not above `before`."""

    @property
    def better(self) -> bool:
        """Whether the loss fell; else the trained weights predict."""
        return self.after < self.before


@dataclass(frozen=True)
class OnlineObjective:
    """What of a recipe's objective can be had without truth."""

    objective: Objective
    left_out: Mapping[str, frozenset[Need]]
    """Terms that are not, and what they lack."""


def online_objective(objective: Objective, offered: frozenset[Need], step: int) -> OnlineObjective:
    """The terms that counted in the last step of training and can look at what is `offered`, which
    never is true depth.

    Raises:
        ValueError: nothing is left that explains the target by its sources.
    """
    kept: dict[str, Weighted] = {}
    left_out: dict[str, frozenset[Need]] = {}
    for name, weighted in objective.weighted.items():
        if not weighted.counts_in(step):
            continue
        lacking = weighted.term.needed() - (offered - TRUTH - OF_FEATURES)
        term = weighted.term.without(lacking)
        if lacking & OF_FEATURES:
            continue
        if term is None:
            left_out[name] = lacking
        else:
            kept[name] = Weighted(term, weighted.weight)
    if not any(weighted.term.needed() & EXPLAINING for weighted in kept.values()):
        without = ", ".join(
            f"{name} ({', '.join(sorted(need))})" for name, need in left_out.items()
        )
        raise ValueError(
            "refinement: expected a recipe that explains pictures by their neighbours, found no "
            f"such term{f'; left out for what they look at: {without}' if without else ''}"
        )
    return OnlineObjective(Objective(kept), left_out)


class Refiner:
    """Refines a predictor in place; `restored` brings its weights back.

    Batch norms keep the statistics of training and dropout is off: one picture says too little of
    either. Extractors of features stay as they are. `groups` say what learns at another rate, or
    not at all, as they did in training.
    """

    def __init__(
        self,
        predictor: nn.Module,
        explainer: Explainer,
        objective: Objective,
        settings: RefineSettings,
        groups: Sequence[ParameterRule] = (),
    ) -> None:
        self.predictor = predictor.eval()
        self._prior = DepthPrior(predictor) if settings.prior > 0 else None
        self.settings = settings
        self._explainer = explainer
        self._objective = objective
        self._groups = tuple(groups)
        freeze_by_rule(predictor, self._groups)
        for name, parameter in predictor.named_parameters():
            if name.startswith(FROZEN_PART):
                parameter.requires_grad_(False)
        self._learning = {
            name: parameter
            for name, parameter in predictor.named_parameters()
            if parameter.requires_grad
        }

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Whatever happens inside, the weights are afterwards what they were."""
        trained = self._state()
        try:
            yield
        finally:
            self._load(trained)

    def loss(self, batch: Batch) -> float:
        """Of the weights as they are; infinite where it is not a number."""
        with torch.no_grad():
            loss = self._loss_or_none(batch, self._trained_depth(batch))
        return math.inf if loss is None else loss.item()

    def on_sample(self, batch: Batch) -> Refined:
        """Learn on one batch; the weights are those of the least loss on the way, which are the
        first ones where it never fell.
        """
        optimiser = self._optimiser()
        best, least, before = self._state(), math.inf, math.inf
        trained = self._trained_depth(batch)
        with torch.enable_grad():
            for iteration in range(self.settings.iterations + 1):
                loss = self._loss_or_none(batch, trained)
                if loss is None:
                    break
                value = loss.item()
                before = value if iteration == 0 else before
                if value < least:
                    best, least = self._state(), value
                if iteration < self.settings.iterations:
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()
        self._load(best)
        return Refined(before, least)

    def on_sequence(self, batches: Callable[[int], Iterable[Batch]]) -> None:
        """Look at all batches so many times; `batches` makes them in the order of each pass."""
        optimiser = self._optimiser()
        with torch.enable_grad():
            for iteration in range(self.settings.iterations):
                for batch in batches(iteration):
                    loss = self._loss_or_none(batch, self._trained_depth(batch))
                    if loss is None:
                        return
                    optimiser.zero_grad()
                    loss.backward()
                    optimiser.step()

    def _optimiser(self) -> torch.optim.Optimizer:
        rate = self.settings.learning_rate
        return torch.optim.Adam(parameter_groups(self.predictor, rate, self._groups), lr=rate)

    def _trained_depth(self, batch: Batch) -> DepthByScale | None:
        """None where nothing asks for it: of frames with a partner the prior counts nothing."""
        if self._prior is None or bool(has_partner(batch).all()):
            return None
        return self._prior.depth(batch)

    def _loss_or_none(self, batch: Batch, trained: DepthByScale | None) -> Tensor | None:
        """None where the loss is not a number any more: what was best so far then stands."""
        try:
            step = training_step(self.predictor, self._explainer, self._objective, batch)
        except NonFiniteLoss:
            return None
        if trained is None:
            return step.loss
        depth = step.scene.predictions.depth[TARGET]
        loss = step.loss + self.settings.prior * DepthPrior.departure(batch, depth, trained)
        return loss if loss.isfinite() else None

    def _state(self) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in self._learning.items()}

    def _load(self, state: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name, value in state.items():
                self._learning[name].copy_(value)
                self._learning[name].grad = None
