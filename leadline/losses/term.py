"""What a loss term is, and the objective that weighs named terms."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from leadline.types import LossValue, Scene

Need = Literal[
    "predicted",
    "identity",
    "hint",
    "proxy",
    "confidence",
    "uncertainty",
    "explainability",
    "depth",
    "distance",
]
"""What a term may look at beside the predicted depth: `hint` is how well the hint explains the
target, `proxy` the hint itself, `confidence` how far it is to be trusted, `distance` how far the
camera moved."""

KEPT, BELIEVED = "kept", "believed"
"""What terms call their maps `{name}_{scale}` of the pixels at which the photometric error counts,
and of those at which the hint does: yes or no, or with which weight."""


class Term(nn.Module):
    """One idea of one paper: a scene in, a sum and a count per scale out."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    gives_scale: ClassVar[bool] = False
    """Whether what it asks for can only be had in metres."""

    def needed(self) -> frozenset[Need]:
        """What this term, as it is set, looks at; checked before the first batch."""
        return self.needs

    def forward(self, scene: Scene) -> LossValue:
        raise NotImplementedError

    def extra_repr(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return ", ".join(f"{k}={v}" for k, v in settings.items() if k != "training")


@dataclass(frozen=True)
class Weighted:
    """A term, its weight in the objective, and the step from which it counts."""

    term: Term
    weight: float = 1.0
    start_step: int = 0


class Objective(nn.Module):
    """The complete objective of a recipe: total = sum over terms of weight * mean over scales.

    What you read in the recipe is what runs: terms are not merged from anywhere else.

    Raises:
        ValueError: no terms are given.
    """

    def __init__(self, terms: Mapping[str, Weighted]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("objective: expected at least one named term, got none")
        if all(weighted.start_step > 0 for weighted in terms.values()):
            raise ValueError(
                "objective: expected a term that counts from the first step, every start_step is "
                "above 0; set one to 0"
            )
        self.terms = nn.ModuleDict({name: weighted.term for name, weighted in terms.items()})
        self.weights = {name: weighted.weight for name, weighted in terms.items()}
        self.start_steps = {name: weighted.start_step for name, weighted in terms.items()}

    def needed(self) -> frozenset[Need]:
        """All that the terms look at."""
        return frozenset().union(*(term.needed() for term in self._by_name().values()))

    @property
    def gives_scale(self) -> bool:
        """Whether a term that counts makes the predictions metric."""
        return any(
            term.gives_scale and self.weights[name] > 0 for name, term in self._by_name().items()
        )

    def check(self, offered: frozenset[Need]) -> None:
        """Refuse, before the first batch, an objective that asks for what nobody makes.

        Raises:
            ValueError: naming the term, what it needs and what would supply it.
        """
        for name, term in self._by_name().items():
            for need in sorted(term.needed() - offered):
                raise ValueError(f"objective.{name} needs {need}: {SUPPLIERS[need]}")

    def forward(
        self, scene: Scene, step: int = 0
    ) -> tuple[Float[Tensor, ""], dict[str, LossValue]]:
        """The total of the terms that have started by `step`, and each of them by name."""
        with torch.autocast(scene.batch.device.type, enabled=False):
            parts = {
                name: term(scene)
                for name, term in self._by_name().items()
                if step >= self.start_steps[name]
            }
        return self.total(parts), parts

    def total(self, parts: Mapping[str, LossValue]) -> Float[Tensor, ""]:
        """Weighted sum of the parts; pooled sums and counts may stand in for those of one
        process.
        """
        terms = [self.weights[name] * value.mean() for name, value in parts.items()]
        return torch.stack(terms).sum()

    def _by_name(self) -> dict[str, Term]:
        return {name: term for name, term in self.terms.items() if isinstance(term, Term)}

    def __str__(self) -> str:
        lines = [
            f"{self.weights[name]:g} x {name} = {type(term).__name__}({term.extra_repr()})"
            + (f" from step {self.start_steps[name]}" if self.start_steps[name] else "")
            for name, term in self._by_name().items()
        ]
        return "\n".join(lines)


_HINTS = "make hints (`leadline hints`), give `--hints FOLDER`, and `stereo` in `frames:`"

SUPPLIERS: Mapping[Need, str] = {
    "predicted": "give `frames:` at least one source beside 0",
    "identity": "give `frames:` at least one source beside 0",
    "proxy": _HINTS,
    "hint": _HINTS,
    "confidence": "make hints with confidence (`leadline hints`), give `--hints FOLDER`, and "
    "`hint_confidence: true` in `data:`",
    "uncertainty": "give the depth network `uncertainty: true`",
    "explainability": "give the depth network an explainability head, one channel per source",
    "depth": "the data set has no true depth to train on",
    "distance": "no frame knows how far it is to its neighbours in time: add speeds, and "
    "timestamps (see docs/data.md), or leave the term out",
}
