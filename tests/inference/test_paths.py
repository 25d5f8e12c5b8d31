"""A path is its steps one after another, whichever way round the network was shown them."""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from commands import leadline
from scipy.spatial.transform import Rotation
from small_models import PAIRS, predictor_config, write_model, write_tiny_backbone
from torch import Tensor, nn

from leadline.data.sources.base import FrameId, Source
from leadline.data.sources.detect import open_source
from leadline.data.sources.quaternion import matrix_to_quaternion, quaternion_to_matrix
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.motion import score_path
from leadline.inference import paths
from leadline.inference.path_files import write_path
from leadline.inference.paths import PathPredictor, PredictedPath
from leadline.offset import Offset
from leadline.types import Batch

POSE = {"class_path": "leadline.networks.pose.PoseCNN"}
JOINT = {"class_path": "leadline.networks.pose.PackNetPose"}


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two drives of seven frames, whose poses were recorded."""
    root = tmp_path_factory.mktemp("drives") / "world"
    generate(root, WorldSettings(drives=2, frames=7, size=(96, 64), seed=3, velodyne=False))
    return root


def video_model(folder: Path, frames: list[int], pose: Mapping[str, Any] = POSE) -> Path:
    predictor = predictor_config(str(write_tiny_backbone(folder.parent / "tiny")))
    predictor["init_args"]["pose"] = dict(pose)  # type: ignore[index]
    training = dict(PAIRS) | {"frames": frames}
    return write_model(folder, training=training, predictor=predictor)


def as_recorded(source: Source, shown: list[set[Offset]] | None = None) -> Any:
    """What a network says that sees every motion as it was."""

    def motions(predictor: nn.Module, batch: Batch) -> dict[Offset, Tensor]:
        if shown is not None:
            shown.append(set(batch.sources))
        found = {}
        for offset in batch.sources:
            poses = []
            for name in batch.ids:
                frame = FrameId.parse(name)
                other = source.neighbour(frame, offset)
                motion = None if other is None else source.recorded_motion(frame, other)
                poses.append(np.eye(4) if motion is None else motion)
            found[offset] = torch.tensor(np.stack(poses))
        return found

    return motions


def found_paths(
    model: Path, source: Source, failed: dict[FrameId, str] | None = None
) -> list[PredictedPath]:
    predictor = PathPredictor(model, source, device="cpu")
    return list(predictor.paths(list(source.sequences), {} if failed is None else failed))


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [([0, -1, 1], range(7)), ([0, 1], range(7)), ([0, -1], range(7)), ([0, -2, 2], range(0, 7, 2))],
)
def test_right_motions_give_the_recorded_path(
    drives: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    frames: list[int],
    numbers: range,
) -> None:
    source = open_source(drives)
    model = video_model(tmp_path / "model", frames)
    shown: list[set[Offset]] = []
    monkeypatch.setattr(paths, "motions_of", as_recorded(source, shown))
    found = found_paths(model, source)
    assert [one.name for one in found] == list(source.sequences)
    for one in found:
        assert [frame.index for frame in one.frames] == list(numbers)
        assert one.truth is not None
        np.testing.assert_allclose(one.path, one.truth, atol=1e-4)
        assert np.linalg.norm(one.truth[-1][:3, 3]) > 1
        np.testing.assert_allclose(one.seconds, 0.1 * np.array(numbers), atol=0.03)
        score = score_path(one, metric=True)
        assert score.error < 1e-3
        assert score.scale == pytest.approx(1, abs=1e-3)
        assert score.steps.metres < 1e-3
        assert score.drift is None
    # Two frames at a time: no others are read.
    step = {Offset(frames[-1])}
    assert all(sources == step for sources in shown)


def test_a_network_that_sees_all_at_once_is_shown_all(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(drives)
    model = video_model(tmp_path / "model", [0, -1, 1], JOINT)
    assert all(np.isfinite(one.path).all() for one in found_paths(model, source))
    shown: list[set[Offset]] = []
    monkeypatch.setattr(paths, "motions_of", as_recorded(source, shown))
    found_paths(model, source)
    assert all(sources == {Offset(-1), Offset(1)} for sources in shown)


def test_motions_are_those_of_the_network_in_metres(drives: Path, tmp_path: Path) -> None:
    """The unit of the model is 5 m; poses that the data know are not asked."""
    source = open_source(drives)
    model = video_model(tmp_path / "model", [0, 1])
    predictor = PathPredictor(model, source, device="cpu")
    (first, _) = predictor.paths(list(source.sequences), {})
    sample = predictor._reader.read(first.frames[2], {})
    assert sample is not None
    images = predictor._reader.batch([sample]).inputs
    with torch.no_grad():
        motion = predictor._predictor.pose(images[Offset(0)], images[Offset(1)])[0].numpy()  # type: ignore[operator]
    motion[:3, 3] *= 5
    step = np.linalg.inv(first.path[2]) @ first.path[3]
    np.testing.assert_allclose(step, np.linalg.inv(motion), atol=1e-5)


def test_a_gap_begins_another_path(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(drives)
    name, other = source.sequences
    damaged = source.image_path(FrameId(name, 3))
    whole = damaged.read_bytes()
    model = video_model(tmp_path / "model", [0, 1])
    monkeypatch.setattr(paths, "motions_of", as_recorded(source))
    try:
        damaged.write_bytes(whole[: len(whole) // 2])
        failed: dict[FrameId, str] = {}
        found = found_paths(model, open_source(drives), failed)
    finally:
        damaged.write_bytes(whole)
    assert FrameId(name, 3) in failed
    assert [one.name for one in found] == [name, f"{name}_from_4", other]
    assert [[f.index for f in one.frames] for one in found[:2]] == [[0, 1, 2], [4, 5, 6]]
    np.testing.assert_array_equal(found[1].path[0], np.eye(4))


def test_metres_are_scored_as_they_are_and_other_paths_by_their_scale() -> None:
    truth = np.tile(np.eye(4), (60, 1, 1))
    truth[:, 2, 3] = 5.0 * np.arange(60)
    truth[:, 0, 3] = np.sin(np.arange(60))
    path = truth.copy()
    path[:, :3, 3] /= 2
    frames = tuple(FrameId("drive", k) for k in range(60))
    found = PredictedPath("drive", frames, path, np.arange(60.0), truth)
    metric, scaled = (score_path(found, metric) for metric in (True, False))
    assert metric.scale == scaled.scale == pytest.approx(2)
    assert metric.error == scaled.error == pytest.approx(0, abs=1e-9)
    assert metric.steps.metres == pytest.approx(2.5, rel=0.05)
    assert scaled.steps.metres == pytest.approx(0, abs=1e-9)
    assert metric.drift is not None
    assert scaled.drift is not None
    assert metric.drift.t_rel == pytest.approx(50, rel=0.06)
    assert scaled.drift.t_rel == pytest.approx(0, abs=1e-6)


def test_a_folder_is_about_one_model_and_one_data_set(drives: Path, tmp_path: Path) -> None:
    model, other = (video_model(tmp_path / name, [0, 1]) for name in ("one", "two"))
    out = tmp_path / "out"
    assert leadline("trajectory", model, drives, "--out", out).code == 0
    before = sorted(path for path in out.rglob("*.txt"))
    assert len(before) == 4
    refused = leadline("trajectory", other, drives, "--out", out)
    assert refused.code == 2
    assert "not those of model" in refused.complaint
    split = drives / "splits" / "test.txt"
    assert leadline("trajectory", model, drives, "--split", split, "--out", out).code == 0
    assert len(list(out.rglob("*.txt"))) == 2


def test_a_joint_network_loses_no_more_than_the_damaged_frame(
    drives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_source(drives)
    name = next(iter(source.sequences))
    damaged = source.image_path(FrameId(name, 2))
    whole = damaged.read_bytes()
    model = video_model(tmp_path / "model", [0, -1, 1], JOINT)
    try:
        damaged.write_bytes(whole[: len(whole) // 2])
        answer = leadline("trajectory", model, drives, "--out", tmp_path / "out")
    finally:
        damaged.write_bytes(whole)
    assert answer.code == 1
    assert len([line for line in answer.err.splitlines() if "leadline:" in line]) == 1
    written = sorted(path.stem for path in (tmp_path / "out" / "tum").rglob("*.txt"))
    assert [stem.rpartition("_sync")[2] for stem in written[:2]] == ["", "_from_3"]


def test_a_folder_of_pictures_gives_the_path_its_name(world: Path, tmp_path: Path) -> None:
    """Images that lie beside their camera.yaml have no sequence of a name."""
    model = video_model(tmp_path / "model", [0, 1])
    plain = tmp_path / "holiday"
    shutil.copytree(world / "left", plain)
    shutil.copy(world / "camera.yaml", plain / "camera.yaml")
    answer = leadline("trajectory", model, plain, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert (tmp_path / "out" / "tum" / "holiday.txt").is_file()


def test_files_of_both_forms(tmp_path: Path) -> None:
    turns = Rotation.random(5, rng=np.random.default_rng(0)).as_matrix()
    poses = np.tile(np.eye(4), (5, 1, 1))
    poses[:, :3, :3] = turns
    poses[:, :3, 3] = np.random.default_rng(1).normal(size=(5, 3))
    frames = tuple(FrameId("day/drive", 2 * k + 10) for k in range(5))
    found = PredictedPath("day/drive", frames, poses, np.arange(5) / 8, None)
    write_path(found, tmp_path)
    tum = np.loadtxt(tmp_path / "tum" / "day" / "drive.txt")
    np.testing.assert_allclose(tum[:, 0], np.arange(5) / 8)
    np.testing.assert_allclose(tum[:, 1:4], poses[:, :3, 3], atol=1e-8)
    np.testing.assert_allclose(Rotation.from_quat(tum[:, 4:]).as_matrix(), turns, atol=1e-7)
    kitti = np.loadtxt(tmp_path / "kitti" / "day" / "drive.txt")
    np.testing.assert_allclose(kitti.reshape(5, 3, 4), poses[:, :3], atol=1e-8)
    write_path(replace(found, seconds=np.full(5, np.nan)), tmp_path)
    tum = np.loadtxt(tmp_path / "tum" / "day" / "drive.txt")
    assert tum[:, 0].tolist() == [10, 12, 14, 16, 18]


@pytest.mark.parametrize(
    "turn", [[0, 0, 0], [np.pi, 0, 0], [0, np.pi, 0], [0, 0, np.pi], [1, 2, 3]]
)
def test_quaternions_there_and_back(turn: list[float]) -> None:
    matrix = Rotation.from_rotvec(turn).as_matrix()
    quaternion = matrix_to_quaternion(matrix)
    np.testing.assert_allclose(quaternion_to_matrix(*quaternion), matrix, atol=1e-12)
    assert quaternion[3] >= 0


def test_the_command_and_the_evaluation(drives: Path, tmp_path: Path) -> None:
    model = video_model(tmp_path / "model", [0, -1, 1])
    words = ("trajectory", model, drives, "--device", "cpu")
    answer = leadline(*words, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "2 paths of 14 frames" in answer.out
    assert "2 paths scored" in answer.out
    files = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*")
    }
    assert {"report.html", "trajectory.json", "tum", "kitti"} <= files
    page = (tmp_path / "out" / "report.html").read_text()
    assert page.count("<polyline") == 4
    test = leadline(*words, "--split", drives / "splits" / "test.txt", "--out", tmp_path / "one")
    assert "1 path of 7 frames" in test.out
    words = ("evaluate", model, drives, "--protocol", "dense", "--poses")
    scored = leadline(
        *words, "--split", drives / "splits" / "test.txt", "--out", tmp_path / "evaluation"
    )
    assert scored.code == 0, scored.err
    assert "1 path scored" in scored.out
    assert (tmp_path / "evaluation" / "trajectory" / "trajectory.json").is_file()
    assert "<polyline" in (tmp_path / "evaluation" / "report.html").read_text()
    alone = leadline("evaluate", "--predictions", drives, "--truth", drives, "--poses")
    assert "--predictions beside --poses" in alone.complaint


def test_what_has_no_path_is_refused(
    drives: Path, world: Path, small: Path, tmp_path: Path
) -> None:
    """A model of pairs; frames that do not follow each other; poses that nobody recorded."""
    pairs = leadline("trajectory", small, drives, "--out", tmp_path / "a")
    assert "expected a model that sees motion in time" in pairs.complaint
    chosen = tmp_path / "chosen"
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    predictor = predictor_config(backbone)
    predictor["init_args"]["pose"] = dict(POSE)  # type: ignore[index]
    training = dict(PAIRS) | {"frames": [0, 1], "hand_held": {"turns": "poses"}}
    write_model(chosen, training=training, predictor=predictor)
    turned = leadline("trajectory", chosen, drives, "--out", tmp_path / "a")
    assert "expected a model of frames as they come" in turned.complaint
    far = video_model(tmp_path / "far", [0, 50])
    answer = leadline("trajectory", far, drives, "--out", tmp_path / "b")
    assert answer.code == 2
    assert "expected frames with a neighbour" in answer.complaint
    video = video_model(tmp_path / "video", [0, 1])
    plain = leadline("trajectory", video, world, "--out", tmp_path / "c")
    assert plain.code == 0
    assert "no recorded poses: nothing to score against" in plain.out
    assert not (tmp_path / "c" / "report.html").exists()
    assert not (tmp_path / "b").exists()
