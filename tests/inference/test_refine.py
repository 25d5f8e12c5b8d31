"""Refinement: the loss falls or nothing changes, and the model is afterwards what it was."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import (
    PAIRS,
    PAIRS_WITH_HINTS,
    files_below,
    predictor_config,
    replace_text,
    write_model,
    write_tiny_backbone,
)
from worlds import hints_of, write_stereo_folder

from leadline.data.sources.base import FrameId
from leadline.data.sources.folder import ImageFolder
from leadline.inference.frames import FrameReader, frame_reader
from leadline.inference.model_folder import CONFIG
from leadline.inference.predictor import DepthPredictor
from leadline.inference.refine import RefineSettings, online_objective
from leadline.inference.refine_frames import FrameRefinement
from leadline.losses.features import Reconstruction
from leadline.losses.proxy import ProxySupervision
from leadline.losses.reprojection import Reprojection
from leadline.losses.smoothness import Smoothness
from leadline.losses.sparse import SparseInverseDepth
from leadline.losses.term import Need, Objective, Weighted
from leadline.types import Sample

FAST = RefineSettings(iterations=5, learning_rate=3e-3)


def refinement_of(
    model: Path, world: Path, settings: RefineSettings, hints: Path | None = None
) -> tuple[FrameRefinement, ImageFolder]:
    source = ImageFolder(world)
    reader = frame_reader(model, source, source.frames, hints, device="cpu")
    return FrameRefinement(reader, settings), source


def depths_of(
    model: Path, world: Path, settings: RefineSettings
) -> tuple[dict[str, np.ndarray[Any, Any]], FrameRefinement]:
    refinement, source = refinement_of(model, world, settings)
    failed: dict[Any, str] = {}
    found = {str(frame): d for frame, d in refinement.predicted(source.frames, failed)}
    assert not failed
    return found, refinement


def sample_of(reader: FrameReader, frame: FrameId) -> Sample:
    sample = reader.read(frame, {})
    assert sample is not None
    return sample


def plain_depths(model: Path, world: Path) -> dict[str, np.ndarray[Any, Any]]:
    source, predictor = ImageFolder(world), DepthPredictor.load(model, device="cpu")
    return {str(frame): predictor(source.image_path(frame)) for frame in source.frames}


@pytest.mark.parametrize("per", ["sample", "sequence"])
def test_the_loss_falls_and_twice_is_the_same(small: Path, world: Path, per: Any) -> None:
    settings = replace(FAST, per=per)
    before = files_below(small)
    first, refinement = depths_of(small, world, settings)
    second, again = depths_of(small, world, settings)
    plain = plain_depths(small, world)
    assert len(refinement.summary.refined) == len(first) == 6
    assert refinement.summary.refined == again.summary.refined
    for name, depth in first.items():
        # Of a sequence, what helps most frames need not help all.
        better = refinement.summary.refined[name].better
        assert better or per == "sequence"
        assert np.array_equal(depth, second[name])
        assert np.array_equal(depth, plain[name]) != better
    assert sum(one.better for one in refinement.summary.refined.values()) > len(first) / 2
    assert files_below(small) == before


@pytest.mark.parametrize("per", ["sample", "sequence"])
def test_where_the_loss_does_not_fall_the_trained_weights_predict(
    small: Path, world: Path, per: Any
) -> None:
    """A rate with which every step makes things worse."""
    depths, refinement = depths_of(small, world, RefineSettings(2, per, learning_rate=1e3))
    assert not any(outcome.better for outcome in refinement.summary.refined.values())
    assert all(one.after == one.before for one in refinement.summary.refined.values())
    for name, depth in plain_depths(small, world).items():
        np.testing.assert_array_equal(depths[name], depth)
    assert "6 of 6 frames stay with the trained weights" in str(refinement.summary)


def test_the_network_is_afterwards_what_it_was(
    small: Path, world: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics of batch norms too, and also where a frame could not be finished."""
    source = ImageFolder(world)
    reader = frame_reader(small, source, source.frames, device="cpu")
    network = reader.recipe.predictor
    trained = {name: value.clone() for name, value in network.state_dict().items()}
    refinement = FrameRefinement(reader, FAST)
    moved: list[bool] = []

    def interrupted(frame: FrameId, sample: Sample) -> None:
        # In the middle of a frame, after steps that have changed the weights.
        moved.append(any(not torch.equal(v, trained[k]) for k, v in network.state_dict().items()))
        raise KeyboardInterrupt

    monkeypatch.setattr(refinement._reader, "depth", interrupted)
    with pytest.raises(KeyboardInterrupt):
        list(refinement.predicted(source.frames, {}))
    assert moved == [True]
    monkeypatch.undo()
    list(refinement.predicted(source.frames[:2], {}))
    for name, value in network.state_dict().items():
        assert torch.equal(value, trained[name]), name
    assert all(p.grad is None for p in network.parameters())


def test_each_sample_is_for_itself(small: Path, world: Path) -> None:
    together, _ = depths_of(small, world, FAST)
    refinement, source = refinement_of(small, world, FAST)
    last = source.frames[-1]
    ((_, alone),) = refinement.predicted([last], {})
    np.testing.assert_array_equal(alone, together[str(last)])


def test_a_frame_without_a_neighbour_is_predicted_as_ever(small: Path, tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=2)
    (world / "right" / "000001.png").unlink()
    for per in ("sample", "sequence"):
        depths, refinement = depths_of(small, world, replace(FAST, per=per))  # type: ignore[arg-type]
        assert refinement.summary.alone == 1
        alone = "0 1 l" if "0 1 l" in depths else next(n for n in depths if n.endswith("1 l"))
        assert alone not in refinement.summary.refined
        np.testing.assert_array_equal(depths[alone], plain_depths(small, world)[alone])


def test_without_any_neighbour_it_is_refused(small: Path, tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=2)
    for path in (world / "right").iterdir():
        path.unlink()
    (world / "right").rmdir()
    with pytest.raises(ValueError, match=r"neighbour that the recipe looks at \(stereo\)"):
        refinement_of(small, world, FAST)


def objective(**terms: Any) -> Objective:
    return Objective({name: Weighted(term) for name, term in terms.items()})


OFFERED: frozenset[Need] = frozenset({"predicted", "identity", "depth"})


def test_truth_is_never_looked_at() -> None:
    online = online_objective(
        objective(picture=Reprojection(), lidar=SparseInverseDepth(), smooth=Smoothness()),
        OFFERED,
        step=100,
    )
    assert list(online.objective.weighted) == ["picture", "smooth"]
    assert online.left_out == {"lidar": frozenset({"depth"})}
    with pytest.raises(ValueError, match=r"found no such term; left out .* lidar \(depth\)"):
        online_objective(objective(lidar=SparseInverseDepth(), smooth=Smoothness()), OFFERED, 0)


def test_without_hints_they_do_not_compete() -> None:
    trained = objective(
        picture=Reprojection(average_over="kept", hint_competes=True), hint=ProxySupervision()
    )
    online = online_objective(trained, OFFERED, step=0)
    assert list(online.left_out) == ["hint"]
    left = online.objective.weighted["picture"].term
    assert isinstance(left, Reprojection)
    assert (left.hint_competes, left.average_over) == (False, "kept")
    with_hints = online_objective(trained, OFFERED | {"hint", "proxy"}, step=0)
    assert not with_hints.left_out
    assert with_hints.objective.weighted["picture"].term is trained.weighted["picture"].term


def test_terms_count_as_in_the_last_step_of_training() -> None:
    trained = Objective(
        {
            "early": Weighted(Reprojection(automask=False), end_step=10),
            "late": Weighted(Reprojection(), start_step=10),
        }
    )
    assert list(online_objective(trained, OFFERED, 10).objective.weighted) == ["late"]
    assert list(online_objective(trained, OFFERED, 9).objective.weighted) == ["early"]


@pytest.mark.parametrize(("steps", "kept"), [(10, "early"), (11, "late")])
def test_a_model_of_so_many_steps_ended_with_the_one_before(
    world: Path, tmp_path: Path, steps: int, kept: str
) -> None:
    term = {"class_path": "leadline.losses.reprojection.Reprojection"}
    training = dict(PAIRS) | {
        "objective": {
            "early": {"term": term, "end_step": 10},
            "late": {"term": term, "start_step": 10},
        }
    }
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    model = write_model(tmp_path / "model", backbone, training=training)
    replace_text(model / CONFIG, "steps: 0", f"steps: {steps}")
    refinement, _ = refinement_of(model, world, FAST)
    assert list(refinement._refiner._objective.weighted) == [kept]


def test_what_shapes_features_is_silently_left_out() -> None:
    trained = objective(picture=Reprojection(), painted=Reconstruction())
    online = online_objective(trained, OFFERED | {"reconstruction"}, step=0)
    assert list(online.objective.weighted) == ["picture"]
    assert not online.left_out


def test_a_sequence_is_refined_as_one_with_both_cameras(small: Path, world: Path) -> None:
    refinement, source = refinement_of(small, world, replace(FAST, per="sequence"))
    seen: list[set[str]] = []
    shuffled = refinement._shuffled

    def watched(frames: Any, number: int) -> Any:
        batches = list(shuffled(frames, number))
        seen.append({name for batch in batches for name in batch.ids})
        return batches

    refinement._shuffled = watched  # type: ignore[method-assign]
    list(refinement.predicted(source.frames[:1], {}))
    assert len(seen) == FAST.iterations
    assert all(names == {str(frame) for frame in source.frames} for names in seen)


def test_groups_learn_as_they_did_in_training(world: Path, tmp_path: Path) -> None:
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    groups = [{"match": "depth.backbone", "lr_factor": 0.0}, {"match": "depth.decoder"}]
    model = write_model(tmp_path / "model", backbone, training=dict(PAIRS) | {"groups": groups})
    source = ImageFolder(world)
    reader = frame_reader(model, source, source.frames, device="cpu")
    network = reader.recipe.predictor
    before = {name: value.clone() for name, value in network.named_parameters()}
    refinement = FrameRefinement(reader, FAST)
    refinement._refiner.on_sample(reader.batch([sample_of(reader, source.frames[0])]))
    moved = {name for name, value in network.named_parameters() if not value.equal(before[name])}
    assert moved
    assert all(name.startswith("depth.decoder") for name in moved)


def test_features_that_were_learnt_beside_stay_what_they_are(world: Path, tmp_path: Path) -> None:
    """A recipe that learns its features beside depth, by what is left of it at test time."""
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    predictor = predictor_config(backbone)
    predictor["init_args"]["extractor"] = {  # type: ignore[index]
        "class_path": "leadline.networks.features.FeatureAutoencoder",
        "init_args": {"backbone": "resnet18", "weights": "none"},
    }
    losses = "leadline.losses"
    terms = {"features": "features.FeatureReprojection", "painted": "features.Reconstruction"}
    objective_of = {name: {"term": {"class_path": f"{losses}.{t}"}} for name, t in terms.items()}
    training = dict(PAIRS) | {"objective": objective_of}
    model = write_model(tmp_path / "model", training=training, predictor=predictor)
    refinement, source = refinement_of(model, world, FAST)
    reader = refinement._reader
    network = reader.recipe.predictor
    before = {name: value.clone() for name, value in network.state_dict().items()}
    refinement._refiner.on_sample(reader.batch([sample_of(reader, source.frames[0])]))
    moved = {name for name, value in network.state_dict().items() if not value.equal(before[name])}
    assert any(name.startswith("depth.") for name in moved)
    assert not any(name.startswith("extractor.") for name in moved)


def test_a_rate_that_breaks_the_network_is_survived(small: Path, world: Path) -> None:
    """Coordinates that are not numbers must not reach the sampler's derivative."""
    depths, refinement = depths_of(small, world, RefineSettings(3, learning_rate=1e30))
    assert not any(one.better for one in refinement.summary.refined.values())
    for name, depth in plain_depths(small, world).items():
        np.testing.assert_array_equal(depths[name], depth)


def test_it_is_said_where_nothing_tells_metres(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=3)
    for path in (world / "right").iterdir():
        path.unlink()
    (world / "right").rmdir()
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    predictor = predictor_config(backbone)
    predictor["init_args"]["pose"] = {"class_path": "leadline.networks.pose.PoseCNN"}  # type: ignore[index]
    training = dict(PAIRS) | {"frames": [0, 1, "stereo"]}
    model = write_model(tmp_path / "model", training=training, predictor=predictor)
    refined, _ = refinement_of(model, world, FAST)
    assert "refined depth may have drifted" in str(refined.summary)
    pairs = write_stereo_folder(tmp_path / "pairs", count=3)
    assert "drifted" not in str(refinement_of(model, pairs, FAST)[0].summary)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learning_rate": float("inf")}, "learning rate: expected a number above 0"),
        ({"iterations": 0}, "iterations: expected 1 or more"),
        ({"batch_size": 0}, "batch size: expected 1 or more"),
        ({"learning_rate": 0.0}, "learning rate: expected a number above 0"),
        ({"prior": -0.1}, "prior: expected a weight of 0 or more, got -0.1"),
        ({"prior": float("nan")}, "prior: expected a weight of 0 or more, got nan"),
    ],
)
def test_impossible_settings(settings: Mapping[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RefineSettings(**settings)


def test_a_network_of_left_pictures_is_refined_on_these_alone(world: Path, tmp_path: Path) -> None:
    """What it says of the picture to the right is not what stands to the left of a right one."""
    losses = "leadline.losses"
    picture = {
        "class_path": f"{losses}.reprojection.Reprojection",
        "init_args": {"automask": False},
    }
    both = {"class_path": f"{losses}.both_sides.BothSides", "init_args": {"term": picture}}
    agree = {"class_path": f"{losses}.both_sides.LeftRightConsistency"}
    training = dict(PAIRS) | {
        "explainer": {"judged_at": "own"},
        "objective": {"pictures": {"term": both}, "agree": {"term": agree}},
    }
    network = {"class_path": "leadline.networks.monodepth.MonodepthNetwork"}
    predictor = predictor_config()
    predictor["init_args"]["depth"] = network  # type: ignore[index]
    model = write_model(tmp_path / "model", training=training, predictor=predictor)
    depths, refinement = depths_of(model, world, replace(FAST, iterations=1))
    assert len(depths) == 6
    assert refinement.summary.alone == 3
    assert {name[-1] for name in refinement.summary.refined} == {"l"}


def test_hints_are_looked_at_where_the_recipe_does(world: Path, tmp_path: Path) -> None:
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    model = write_model(tmp_path / "model", backbone, training=PAIRS_WITH_HINTS)
    without, _ = refinement_of(model, world, FAST)
    assert list(without.summary.left_out) == ["hint"]
    with_hints, source = refinement_of(model, world, FAST, hints_of(world))
    assert not with_hints.summary.left_out
    assert list(with_hints.predicted(source.frames[:1], {}))
