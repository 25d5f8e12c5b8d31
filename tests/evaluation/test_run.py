"""An evaluation in a folder of its own: resumable, complete, about one model and one data set."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import leadline
from data.tiny_trees import SEQUENCE, SIZE, write_kitti
from small_models import files_below, linked_copy, replace_text, write_model, write_tiny_backbone

from leadline.data.depth_files import write_depth
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import (
    PREDICTIONS,
    REPORT,
    RESULTS,
    TRUTH,
    evaluate_folders,
    evaluate_model,
)
from leadline.inference.model_folder import CONFIG
from leadline.inference.predictor import DepthPredictor

COUNT = 4


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    return write_model(root / "model", str(write_tiny_backbone(root / "backbone")))


@pytest.fixture(scope="module")
def kitti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drive whose left images but the first have truth on every other pixel."""
    root = write_kitti(tmp_path_factory.mktemp("kitti"), COUNT)
    for index in range(1, COUNT):
        truth = np.full(SIZE, 10.0 + index, np.float32)
        truth[:, ::2] = 0
        write_depth(root / SEQUENCE / f"proj_depth/exact/image_02/{index:010d}.npz", truth)
    return root


def test_figures_are_those_of_the_predictor_and_of_numpy(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    found = evaluate_model(model, kitti, tmp_path, protocol="improved")
    predictor, expected = DepthPredictor.load(model), []
    for index in range(1, COUNT):
        depth = predictor(kitti / SEQUENCE / f"image_02/data/{index:010d}.png")[:, 1::2]
        expected.append(np.abs(depth.clip(0.001, 80) - (10 + index)).mean() / (10 + index))
    assert len(found.rows) == COUNT - 1
    assert found.mean.abs_rel == pytest.approx(np.mean(expected), rel=1e-5)
    assert (found.alignment.kind, found.metric, found.protocol.name) == ("none", True, "improved")


def test_report_and_results_are_there_and_read_back(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    found = evaluate_model(model, kitti, tmp_path, protocol="none", alignment="median")
    assert Evaluation.load(tmp_path / RESULTS) == found
    page = (tmp_path / REPORT).read_text()
    assert "median: each image multiplied" in page
    assert page.count("data:image/") >= 2
    assert not [name for name in files_below(tmp_path) if ".part" in name]


def test_an_interrupted_evaluation_goes_on(model: Path, kitti: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate_model(model, kitti, tmp_path / "a", progress=interrupt)
    written = sorted((tmp_path / "a" / PREDICTIONS).glob("*.npy"))
    assert len(written) == 2
    times = [path.stat().st_mtime_ns for path in written]
    resumed = evaluate_model(model, kitti, tmp_path / "a")
    assert [path.stat().st_mtime_ns for path in written] == times
    assert resumed == evaluate_model(model, kitti, tmp_path / "b")


def test_another_protocol_reads_the_same_predictions(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    eigen = evaluate_model(model, kitti, tmp_path, protocol="eigen")
    before = files_below(tmp_path / PREDICTIONS)
    uncropped = evaluate_model(model, kitti, tmp_path, protocol="none")
    assert files_below(tmp_path / PREDICTIONS) == before
    assert eigen.pixels < uncropped.pixels == (COUNT - 1) * SIZE[0] * SIZE[1] // 2


def test_a_model_without_scale_is_scored_by_the_median(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    mono = linked_copy(model, tmp_path / "mono")
    replace_text(mono / CONFIG, "metric: true", "metric: false")
    found = evaluate_model(mono, kitti, tmp_path / "a", protocol="none")
    assert found.alignment.kind == "median"
    scaled = evaluate_model(mono, kitti, tmp_path / "b", protocol="none", alignment="2.5")
    as_it_is = evaluate_model(mono, kitti, tmp_path / "c", protocol="none", alignment="none")
    ratios = [row.ratio for row in found.rows]
    assert [row.ratio for row in scaled.rows] == ratios == [row.ratio for row in as_it_is.rows]
    assert scaled.mean.rmse != as_it_is.mean.rmse


def test_flip_is_another_evaluation(model: Path, kitti: Path, tmp_path: Path) -> None:
    plain = evaluate_model(model, kitti, tmp_path / "plain", protocol="none")
    flipped = evaluate_model(model, kitti, tmp_path / "flip", protocol="none", flip=True)
    assert plain.mean.abs_rel != flipped.mean.abs_rel
    assert flipped.model.endswith(" flip")
    with pytest.raises(ValueError, match=r"holds the evaluation of demo \w+ on .*, not of .* flip"):
        evaluate_model(model, kitti, tmp_path / "plain", protocol="none", flip=True)


def test_two_data_sets_of_the_same_names_are_told_apart(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    evaluate_model(model, kitti, tmp_path / "out")
    before = files_below(tmp_path / "out")
    shutil.copytree(kitti, tmp_path / "other")
    with pytest.raises(ValueError, match=r"holds the evaluation of .* give another folder"):
        evaluate_model(model, tmp_path / "other", tmp_path / "out")
    assert files_below(tmp_path / "out") == before


def test_frames_that_are_left_out_of_a_split_are_told(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    split = tmp_path / "split.txt"
    split.write_text(f"{SEQUENCE} 0 l\n{SEQUENCE} 2 l\n{SEQUENCE} 77 l\n")
    told: list[str] = []
    found = evaluate_model(model, kitti, tmp_path / "out", split=split, say=told.append)
    assert [row.id for row in found.rows] == [f"{SEQUENCE} 2 l"]
    assert told == [f"2 of 3 frames are left out, first {SEQUENCE} 0 l: no image or no true depth"]


@pytest.mark.parametrize("wrong", [{"protocol": "eigan"}, {"alignment": "medain"}])
def test_a_typo_is_found_before_anything_is_predicted(
    model: Path, kitti: Path, tmp_path: Path, wrong: dict[str, str]
) -> None:
    with pytest.raises(ValueError, match="expected"):
        evaluate_model(model, kitti, tmp_path / "out", **wrong)
    assert not (tmp_path / "out").exists()


def test_anyones_predictions_are_scored_as_ours(model: Path, kitti: Path, tmp_path: Path) -> None:
    ours = evaluate_model(model, kitti, tmp_path / "ours", protocol="eigen_50")
    theirs = tmp_path / "theirs"
    exported = sorted((tmp_path / "ours" / PREDICTIONS).glob("*.npy"))
    for row, path in zip(ours.rows, exported, strict=True):
        frame = row.id.split()[1]
        assert f"+{frame}+" in path.name
        # Under short names and in the 16-bit format of other programs.
        write_depth(theirs / f"{frame}.png", np.load(path), divide=256)
    found = evaluate_folders(
        theirs, tmp_path / "ours" / TRUTH, tmp_path / "out", protocol="eigen_50", divide=256
    )
    assert found.metric is None
    assert found.mean.abs_rel == pytest.approx(ours.mean.abs_rel, abs=1e-3)
    assert (tmp_path / "out" / REPORT).is_file()
    assert json.loads((tmp_path / "out" / RESULTS).read_text())["protocol"]["name"] == "eigen_50"


def test_the_command_prints_the_table(model: Path, kitti: Path, tmp_path: Path) -> None:
    words = ("evaluate", model, kitti, "--out", tmp_path / "out", "--protocol", "eigen_own_crop")
    answer = leadline(*words, "--scale", "median")
    assert answer.code == 0, answer.err
    assert "eigen_own_crop: Eigen crop, truth 0.001 to 80 m" in answer.out
    assert "best value per row" in answer.out
    assert answer.out.endswith(f"report: {tmp_path / 'out' / REPORT}\n")
    again = leadline(*words, "--scale", "1.5")
    assert "factor: every image multiplied by 1.5" in again.out
