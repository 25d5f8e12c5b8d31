"""Networks that look at neighbours: predicted and evaluated with them, and said so without."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import leadline
from data.rooms import walk, write_room
from small_models import PAIRS, files_below, linked_copy, write_model, write_tiny_backbone
from worlds import write_stereo_folder

from leadline.data.hand_held import HandHeld
from leadline.data.prediction_record import RECORD
from leadline.data.sources.folder import ImageFolder
from leadline.data.sources.rgbd import RgbdSequences
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.inference.frames import NeighbourPrediction, frame_reader
from leadline.inference.model_folder import CONFIG
from leadline.inference.predictor import DepthPredictor
from leadline.inference.refine_frames import described
from leadline.offset import Offset


@pytest.fixture(scope="module")
def banet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("banet")
    backbone = str(write_tiny_backbone(folder / "tiny"))
    predictor = {
        "class_path": "leadline.networks.banet.BANet",
        "init_args": {"backbone": backbone, "weights": "none", "iterations": 1},
    }
    return write_model(folder / "model", training=PAIRS, predictor=predictor)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_stereo_folder(tmp_path_factory.mktemp("frames") / "world", count=3)


def test_a_folder_is_predicted_with_its_neighbours(
    banet: Path, world: Path, tmp_path: Path
) -> None:
    whole = leadline("predict", banet, world, "--outputs", "npy", "--out", tmp_path / "whole")
    assert whole.code == 0, whole.err
    assert "6 predicted" in whole.out
    photograph = world / "left" / "000000.png"
    single = leadline("predict", banet, photograph, "--outputs", "npy", "--out", tmp_path / "one")
    assert "what it sees before it compares them" in single.err
    together = np.load(tmp_path / "whole" / "npy" / "left" / "000000.npy")
    alone = np.load(tmp_path / "one" / "npy" / "000000.npy")
    assert together.shape == alone.shape == (64, 96)
    assert not np.array_equal(together, alone)
    np.testing.assert_array_equal(alone, DepthPredictor.load(banet, device="cpu")(photograph))
    again = leadline("predict", banet, world, "--outputs", "npy", "--out", tmp_path / "whole")
    assert "0 predicted, 6 kept" in again.out
    record = tmp_path / "whole" / RECORD
    assert json.loads(record.read_text())["settings"]["manner"] == "with stereo"
    # Another model of the same weights may look elsewhere.
    record.write_text(record.read_text().replace('"with stereo"', '"with +1"'))
    other = leadline("predict", banet, world, "--outputs", "npy", "--out", tmp_path / "whole")
    assert "manner with +1 instead of with stereo" in other.complaint


def test_a_frame_without_its_partner_is_predicted_by_itself(banet: Path, tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=2)
    (world / "right" / "000001.png").unlink()
    source = ImageFolder(world)
    prediction = NeighbourPrediction(frame_reader(banet, source, source.frames, device="cpu"))
    depths = {str(frame): depth for frame, depth in prediction.predicted(source.frames, {})}
    assert prediction.summary.alone == 1
    assert "1 frames have no neighbour" in str(prediction.summary)
    (name,) = [name for name in depths if name.endswith("1 l")]
    plain = DepthPredictor.load(banet, device="cpu")(world / "left" / "000001.png")
    np.testing.assert_allclose(depths[name], plain, rtol=1e-4)


def test_mirrored_frames_are_blended(banet: Path, world: Path) -> None:
    source = ImageFolder(world)
    found = []
    for flip in (False, True):
        reader = frame_reader(banet, source, source.frames, flip=flip, device="cpu")
        ((_, depth),) = NeighbourPrediction(reader).predicted(source.frames[:1], {})
        found.append(depth)
    assert not np.array_equal(*found)
    assert np.isfinite(found[1]).all()


def test_an_evaluation_looks_at_neighbours_too(banet: Path, tmp_path: Path) -> None:
    world = tmp_path / "world"
    generate(world, WorldSettings(drives=2, frames=2, size=(96, 64), seed=3, velodyne=False))
    words = ("evaluate", banet, world, "--protocol", "dense")
    answer = leadline(*words, "--split", world / "splits" / "test.txt", "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "2 predicted" in answer.out
    assert "report.html" in files_below(tmp_path / "out")


def test_a_recipe_of_true_poses_cannot_be_refined(banet: Path, world: Path, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    training = dict(PAIRS) | {
        "objective": {
            "rotation": {"term": {"class_path": "leadline.losses.bundle_adjustment.PoseRotation"}}
        }
    }
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    write_model(folder, backbone, training=training)
    answer = leadline("refine", folder, world, "--out", tmp_path / "out")
    assert "left out for what they look at: rotation (true_poses)" in answer.complaint


def test_neighbours_are_chosen_and_turned_back_as_in_training(banet: Path, tmp_path: Path) -> None:
    """What a network compares its frame with must look as it did when it learnt to compare."""
    room = write_room(tmp_path / "room", walk(6))
    source = RgbdSequences(room)
    settings: dict[str, Any] = {
        "turns": "pictures",
        "least_parallax": 16.0,
        "most_parallax": 60.0,
        "reach": 4,
    }
    found = {}
    for name, hand_held in (("plain", {}), ("held", settings)):
        folder = linked_copy(banet, tmp_path / name)
        config = yaml.safe_load((folder / CONFIG).read_text())
        config["training"] |= {"frames": [0, 1], "hand_held": hand_held}
        (folder / CONFIG).unlink()
        (folder / CONFIG).write_text(yaml.safe_dump(config))
        reader = frame_reader(folder, source, source.frames, device="cpu")
        found[name] = reader
    first = source.frames[0]
    chosen = found["held"].source.neighbour(first, Offset(1))
    assert chosen is not None
    assert chosen.index > 1
    assert found["held"].recipe.hand_held == HandHeld(**settings)
    sample = found["held"].read(first, {})
    assert sample is not None
    assert not sample.in_picture[Offset(1)].all()
    plain = found["plain"].read(first, {})
    assert plain is not None
    assert not plain.in_picture
    manners = [described(reader, None) for reader in found.values()]
    assert manners[0] == "with +1"
    assert "reach=4" in manners[1]
