"""Reading the errors: the best source of each kind of explanation, and which kind wins a pixel."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from leadline.types import Errors, Scene

Reduction = Literal["min", "mean"]


class Reduced(NamedTuple):
    """Errors reduced over sources; where not `valid` no source could be asked, and error is 0."""

    error: Float[Tensor, "b 1 h w"]
    valid: Bool[Tensor, "b 1 h w"]


def over_sources(
    errors: Float[Tensor, "b n h w"], valid: Bool[Tensor, "b n h w"], reduction: Reduction
) -> Reduced:
    """Per-pixel minimum (occlusions in one source are seen by another) or mean [monodepth2]."""
    if errors.shape[1] == 1:
        return Reduced(errors.where(valid, 0.0), valid)
    any_valid = valid.any(1, keepdim=True)
    if reduction == "mean":
        count = valid.sum(1, keepdim=True).clamp(min=1)
        return Reduced(errors.where(valid, 0.0).sum(1, keepdim=True) / count, any_valid)
    least = errors.where(valid, torch.inf).min(1, keepdim=True).values
    return Reduced(least.where(any_valid, 0.0), any_valid)


class Contest(NamedTuple):
    """The explanations of one scale side by side; an absent competitor never wins."""

    predicted: Reduced
    identity: Reduced | None
    identity_wins: Bool[Tensor, "b 1 h w"]
    hint_wins: Bool[Tensor, "b 1 h w"]


def contest(
    errors: Errors, scale: int, reduction: Reduction, *, identity: bool, hint: bool
) -> Contest:
    """Which of prediction, identity and hint explains each pixel best [depth-hints].

    Each kind is first reduced over its sources, then the least error wins; ties go to the earlier
    in that order. Nothing here carries a gradient but the reduced errors themselves.
    """
    if errors.predicted is None:
        raise ValueError("the predicted warps were not asked for")
    predicted = over_sources(errors.predicted[scale], errors.warps_valid(scale), reduction)
    rival = None
    if identity and errors.identity is not None:
        rival = over_sources(errors.identity, errors.identities_valid(), reduction)
    with torch.no_grad():
        nowhere = torch.zeros_like(predicted.valid)
        best = predicted.error.where(predicted.valid, torch.inf)
        identity_wins = nowhere if rival is None else rival.valid & (rival.error < best)
        if rival is not None:
            best = torch.where(identity_wins, rival.error, best)
        hint_wins = nowhere
        if hint and errors.hint is not None and errors.hint_valid is not None:
            hint_wins = errors.hint_valid & (errors.hint < best)
    return Contest(predicted, rival, identity_wins & ~hint_wins, hint_wins)


def of_each_source(
    maps: Mapping[int, Float[Tensor, "b _ _ _"]], scene: Scene, what: str, advice: str
) -> dict[int, Float[Tensor, "b n _ _"]]:
    """The maps by scale, in full precision, once they are one for each source of the scene.

    Raises:
        ValueError: a network makes another number of them; `advice` says what to change.
    """
    sources = len(scene.batch.sources)
    for value in maps.values():
        if value.shape[1] != sources:
            raise ValueError(
                f"{what}: expected one map for each of {sources} sources, the network makes "
                f"{value.shape[1]}; {advice}"
            )
    return {scale: value.float() for scale, value in maps.items()}
