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
    "photometric_uncertainty",
    "explainability",
    "depth",
    "distance",
    "features",
    "feature_pyramid",
    "reconstruction",
    "brightness",
    "true_poses",
    "ordinal",
    "partner",
]
"""What a term may look at beside the predicted depth: `hint` is how well the hint explains the
target, `proxy` the hint itself, `confidence` how far it is to be trusted, `distance` how far the
camera moved, `features` how well warped features explain those of the target, `feature_pyramid`
and `reconstruction` what a network says that learns features, `brightness` how exposure changed,
`true_poses` how the camera truly moved, `ordinal` answers to whether depth
is beyond one threshold after the other, `partner` the scene from the other camera of the pair."""

KEPT, BELIEVED = "kept", "believed"
"""What terms call their maps `{name}_{scale}` of the pixels at which the photometric error counts,
and of those at which the hint does: yes or no, or with which weight."""


class Term(nn.Module):
    """One idea of one paper: a scene in, a sum and a count per scale out."""

    needs: ClassVar[frozenset[Need]] = frozenset()
    gives_scale: ClassVar[bool] = False
    """Whether what such terms ask for can only be had in metres."""

    def needed(self) -> frozenset[Need]:
        """What this term, as it is set, looks at; checked before the first batch."""
        return self.needs

    def tells_metres(self) -> bool:
        """Whether what this term, as it is set, asks for can only be had in metres."""
        return self.gives_scale

    def without(self, lacking: frozenset[Need]) -> "Term | None":
        """What is left of the term where so much of what it needs is not to be had: by default
        nothing.
        """
        return None if lacking else self

    def forward(self, scene: Scene) -> LossValue:
        raise NotImplementedError

    def extra_repr(self) -> str:
        settings = {k: v for k, v in vars(self).items() if not k.startswith("_")}
        return ", ".join(f"{k}={v}" for k, v in settings.items() if k != "training")


@dataclass(frozen=True)
class Weighted:
    """A term, its weight in the objective, and the steps in which it counts."""

    term: Term
    weight: float = 1.0
    start_step: int = 0
    end_step: int | None = None
    """The first step in which it counts no more."""

    def counts_in(self, step: int) -> bool:
        return self.start_step <= step and (self.end_step is None or step < self.end_step)


class Objective(nn.Module):
    """The complete objective of a recipe: total = sum over terms of weight * mean over scales.

    What you read in the recipe is what runs: terms are not merged from anywhere else.

    Raises:
        ValueError: no terms are given, or none counts in some step.
    """

    def __init__(self, terms: Mapping[str, Weighted]) -> None:
        super().__init__()
        if not terms:
            raise ValueError("objective: expected at least one named term, got none")
        # Between these steps nothing changes.
        for step in sorted({0, *(w.end_step for w in terms.values() if w.end_step is not None)}):
            if not any(weighted.counts_in(step) for weighted in terms.values()):
                raise ValueError(
                    f"objective: expected a term that counts in every step, got none in step "
                    f"{step}; change a start_step or end_step"
                )
        self.terms = nn.ModuleDict({name: weighted.term for name, weighted in terms.items()})
        self.weighted = dict(terms)

    def needed(self) -> frozenset[Need]:
        """All that the terms look at."""
        return frozenset().union(*(term.needed() for term in self._by_name().values()))

    @property
    def gives_scale(self) -> bool:
        """Whether a term that counts makes the predictions metric."""
        return any(w.term.tells_metres() and w.weight > 0 for w in self.weighted.values())

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
        """The total of the terms that count in `step`, and each of them by name."""
        with torch.autocast(scene.batch.device.type, enabled=False):
            parts = {
                name: term(scene)
                for name, term in self._by_name().items()
                if self.weighted[name].counts_in(step)
            }
        return self.total(parts), parts

    def total(self, parts: Mapping[str, LossValue]) -> Float[Tensor, ""]:
        """Weighted sum of the parts; pooled sums and counts may stand in for those of one
        process.
        """
        terms = [self.weighted[name].weight * value.mean() for name, value in parts.items()]
        return torch.stack(terms).sum()

    def _by_name(self) -> dict[str, Term]:
        return {name: term for name, term in self.terms.items() if isinstance(term, Term)}

    def __str__(self) -> str:
        lines = []
        for name, term in self._by_name().items():
            own = self.weighted[name]
            text = f"{own.weight:g} x {name} = {type(term).__name__}({term.extra_repr()})"
            text += f" from step {own.start_step}" if own.start_step else ""
            text += f" until step {own.end_step}" if own.end_step is not None else ""
            lines.append(text)
        return "\n".join(lines)


_LEARNT = "give the predictor a FeatureAutoencoder as `extractor`"
_HINTS = "make hints (`leadline hints`), give `--hints FOLDER`, and `stereo` in `frames:`"

SUPPLIERS: Mapping[Need, str] = {
    "predicted": "give `frames:` at least one source beside 0",
    "identity": "give `frames:` at least one source beside 0",
    "proxy": _HINTS,
    "hint": _HINTS,
    "confidence": "make hints with confidence (`leadline hints`), give `--hints FOLDER`, and "
    "`hint_confidence: true` in `data:`",
    "uncertainty": "give the depth network `uncertainty: true`",
    "photometric_uncertainty": "give the depth network `uncertain_sources`, one for each source",
    "explainability": "give the predictor an `ExplainingPose` as `pose`, or the depth network "
    "`explained_sources`, one for each source",
    "depth": "the data set has no true depth to train on",
    "distance": "fewer than half of the frames know how far it is to a neighbour in time, or the "
    "camera stands still by what they know: add speeds and timestamps (see docs/data.md), leave "
    "out the other frames (`train_distance: true`), or leave out the term",
    "features": "give the predictor an `extractor`",
    "feature_pyramid": _LEARNT,
    "reconstruction": _LEARNT,
    "true_poses": "the data set knows no motion to any of the frames: give a source with poses "
    "`temporal_poses: true`, or `stereo` in `frames:`",
    "brightness": "give the predictor a network for `brightness`",
    "ordinal": "give the predictor a depth network that answers so, as DORN does",
    "partner": "give the predictor `partner: true`, or a depth network that sees both pictures of "
    "a pair, as MonodepthNetwork does, and `stereo` in `frames:`",
}
