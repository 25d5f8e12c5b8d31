"""What cannot be learnt from is refused before the first batch."""

from pathlib import Path

import pytest
from worlds import write_stereo_folder

from leadline.data.augment import Flip
from leadline.data.module import DepthData
from leadline.data.sources.folder import ImageFolder
from leadline.losses.both_sides import LeftRightConsistency
from leadline.losses.explainability import ExplainabilityPrior
from leadline.losses.smoothness import Smoothness
from leadline.losses.term import Objective, Weighted
from leadline.networks.depth import DepthNetwork
from leadline.networks.monodepth import MonodepthNetwork
from leadline.offset import STEREO, TARGET, Offset
from leadline.synthesis.predict import DepthAndPose
from leadline.training.module import check_masks, check_partner
from leadline.training.supply import supplied_by_predictor

FLIPS: tuple[Flip, ...] = ("swap", "none")


@pytest.fixture
def folder(tmp_path: Path) -> ImageFolder:
    return ImageFolder(write_stereo_folder(tmp_path / "world", count=3))


def test_partners_on_either_side_are_no_teachers_of_the_right_one(folder: ImageFolder) -> None:
    left = DepthAndPose(MonodepthNetwork())
    assert left.partner_right
    for flip in FLIPS:
        check_partner(DepthData(folder, partner="right", flip=flip), left)
    with pytest.raises(ValueError, match="partner: either: it would be taught both sides"):
        check_partner(DepthData(folder, flip="swap"), left)
    with pytest.raises(ValueError, match="got flip mirror"):
        check_partner(DepthData(folder, partner="right", flip="mirror"), left)
    check_partner(DepthData(folder, frames=[0, 1], flip="mirror"), left)
    both = DepthAndPose(DepthNetwork("resnet18", "none"), partner=True)
    assert not both.partner_right
    check_partner(DepthData(folder, flip="mirror"), both)


def test_without_a_stereo_frame_there_is_no_partner() -> None:
    predictor = DepthAndPose(DepthNetwork("resnet18", "none"), partner=True)
    objective = Objective({"agree": Weighted(LeftRightConsistency())})
    objective.check(supplied_by_predictor(predictor, (TARGET, STEREO)) | {"predicted"})
    with pytest.raises(ValueError, match="needs partner: give the predictor `partner: true`"):
        objective.check(supplied_by_predictor(predictor, (TARGET, Offset(1))) | {"predicted"})


def test_masks_that_nobody_looks_at_are_refused() -> None:
    makes = frozenset({"explainability"})
    with pytest.raises(ValueError, match="expected a MaskedReprojection beside a network"):
        check_masks(makes, Objective({"smooth": Weighted(Smoothness())}))
    check_masks(makes, Objective({"prior": Weighted(ExplainabilityPrior())}))
    check_masks(frozenset(), Objective({"smooth": Weighted(Smoothness())}))
