"""The sheet of a step shows what taught its pixels: by the settings of the objective, not ours."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from scenes import plane_batch, predictions_of

from leadline.losses.explainability import ExplainabilityPrior
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.term import BELIEVED, KEPT, Objective, Term, Weighted
from leadline.offset import TARGET
from leadline.synthesis.errors import Explainer
from leadline.training.pictures import (
    NOTHING,
    TEACHERS,
    picture_of_teachers,
    scene_sheet,
)
from leadline.types import Batch, Scene

MASKED = Reprojection(average_over="kept", hint_competes=True)
PLAIN = Reprojection(automask=False)
SOFT, EVERYWHERE = ProxySupervision(), ProxySupervision(believe="everywhere")


def half_hinted(moving: bool = True) -> Batch:
    """A plane with right hints on its left half; or a world in which nothing moves."""
    batch = plane_batch(count=1, size=(32, 64))
    assert batch.hint is not None
    hint = batch.hint.clone()
    hint[..., 32:] = 0
    images = batch.images if moving else dict.fromkeys(batch.images, batch.images[TARGET])
    return replace(batch, hint=hint, images=images)


def shares(batch: Batch, *terms: Term) -> list[list[float]]:
    """Of the left and the right half: the share taught by photometry, by the hint, by nothing."""
    objective = Objective({f"term {n}": Weighted(term) for n, term in enumerate(terms)})
    predictions = predictions_of(batch, 14.0)
    errors = Explainer()(batch, predictions, {"predicted", "identity", "hint"})
    _, parts = objective(Scene(batch, predictions, errors))
    picture = picture_of_teachers(parts, 0, 0)
    assert picture is not None
    colours = (TEACHERS[KEPT], TEACHERS[BELIEVED], NOTHING)
    return [
        [float((half == np.array(colour)).all(-1).mean()) for colour in colours]
        for half in (picture[:, :32], picture[:, 32:])
    ]


def test_the_right_hint_teaches_where_there_is_one() -> None:
    left, right = shares(half_hinted(), MASKED, SOFT)
    assert left[1] > 0.8
    assert right[1] == 0
    assert right[0] > 0.5


def test_what_is_switched_off_is_not_drawn() -> None:
    still = half_hinted(moving=False)
    # Unmoved pictures explain themselves best; hardly a pixel teaches, unless masks are off.
    assert shares(still, MASKED)[1][2] > 0.9
    assert shares(still, PLAIN) == [[1, 0, 0], [1, 0, 0]]
    assert shares(half_hinted(), Reprojection())[0][1] == 0


def test_a_hint_that_is_believed_everywhere_is_drawn_everywhere() -> None:
    assert shares(half_hinted(), EVERYWHERE) == [[0, 1, 0], [0, 0, 1]]
    left, right = shares(half_hinted(), PLAIN, EVERYWHERE)
    assert left == [0, 1, 0]
    assert right == [1, 0, 0]


@pytest.mark.parametrize("terms", [(PLAIN,), (PLAIN, EVERYWHERE), (EVERYWHERE,)])
def test_the_sheet_shows_who_taught(terms: tuple[Term, ...]) -> None:
    batch = half_hinted()
    objective = Objective({f"term {n}": Weighted(term) for n, term in enumerate(terms)})
    sheet = scene_sheet(batch, predictions_of(batch, 14.0), Explainer(), objective)
    seen = {kind: bool((sheet == colour).all(-1).any()) for kind, colour in TEACHERS.items()}
    assert seen == {KEPT: PLAIN in terms, BELIEVED: EVERYWHERE in terms}


def test_a_weighted_hint_is_as_strong_as_its_weight() -> None:
    batch = half_hinted()
    confidence = torch.full((1, 1, 32, 64), 0.4)
    confidence[..., :8], confidence[..., 32:] = 1, 0
    batch = replace(batch, hint_confidence=confidence)
    weighted = ProxySupervision(believe="everywhere", weighting="confidence")
    errors = Explainer()(batch, predictions_of(batch, 14.0), {"predicted"})
    for terms, below in (((weighted,), NOTHING), ((PLAIN, weighted), TEACHERS[KEPT])):
        objective = Objective({f"term {n}": Weighted(term) for n, term in enumerate(terms)})
        _, parts = objective(Scene(batch, predictions_of(batch, 14.0), errors))
        picture = picture_of_teachers(parts, 0, 0)
        assert picture is not None
        mixed = [round(0.6 * a + 0.4 * b) for a, b in zip(below, TEACHERS[BELIEVED], strict=True)]
        assert (picture[:, :8] == TEACHERS[BELIEVED]).all()
        assert (picture[:, 8:32] == mixed).all()
        assert (picture[:, 32:] == below).all()


def test_the_sheet_shows_confidence_where_there_is_one() -> None:
    batch = half_hinted()
    objective, predictions = Objective({"term": Weighted(PLAIN)}), predictions_of(batch, 14.0)
    plain = scene_sheet(batch, predictions, Explainer(), objective)
    batch = replace(batch, hint_confidence=torch.full((1, 1, 32, 64), 0.6))
    sheet = scene_sheet(batch, predictions, Explainer(), objective)
    grey = np.array([153, 153, 153])
    shown = (sheet == grey).all(-1).sum() - (plain == grey).all(-1).sum()
    assert sheet.shape[0] >= plain.shape[0]
    assert shown > 0.9 * (320 * 160)


def test_where_no_term_chooses_among_pixels_there_is_nothing_to_draw() -> None:
    batch = half_hinted()
    logits = {0: torch.zeros(1, 2, 32, 64)}
    predictions = replace(predictions_of(batch, 14.0, scales=1), explainability=logits)
    errors = Explainer()(batch, predictions, ())
    _, parts = Objective({"prior": Weighted(ExplainabilityPrior())})(
        Scene(batch, predictions, errors)
    )
    assert picture_of_teachers(parts, 0, 0) is None
