"""An evaluation in a folder of its own: resumable, complete, about one model and one data set."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import leadline
from data.tiny_trees import DATE, SEQUENCE, SIZE, write_image, write_kitti, write_sweep
from leftovers import leave_half_a_file
from prediction_folders import write_predictions
from small_models import files_below, linked_copy, replace_text, write_model, write_tiny_backbone

from leadline.data.depth_files import write_depth
from leadline.evaluation.protocol import named_protocol
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
from leadline.inference.predict_files import predict_files
from leadline.inference.predictor import DepthPredictor

COUNT = 4


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
    found = evaluate_model(model, kitti, tmp_path, protocol="none")
    predictor, expected = DepthPredictor.load(model), []
    for index in range(1, COUNT):
        depth = predictor(kitti / SEQUENCE / f"image_02/data/{index:010d}.png")[:, 1::2]
        expected.append(np.abs(depth - (10 + index)).mean() / (10 + index))
    assert len(found.rows) == COUNT - 1
    assert found.mean.abs_rel == pytest.approx(np.mean(expected), rel=1e-5)
    assert (found.alignment.kind, found.metric, found.protocol.name) == ("none", True, "none")


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
    written = sorted((tmp_path / "a" / PREDICTIONS / "npy").glob("*.npy"))
    assert len(written) == 2
    times = [path.stat().st_mtime_ns for path in written]
    for folder in (tmp_path / "a", written[0].parent, tmp_path / "a" / TRUTH):
        leave_half_a_file(folder / "x.npy")
    resumed = evaluate_model(model, kitti, tmp_path / "a")
    assert not [name for name in files_below(tmp_path / "a") if ".part" in name]
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
    assert (plain.flip, flipped.flip) == (False, True)
    assert "blended with the mirrored picture" in (tmp_path / "flip" / REPORT).read_text()
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
    assert told == [
        f"2 of 3 frames are left out, first {SEQUENCE} 0 l: no image or no such true depth"
    ]


def write_truths(root: Path) -> Path:
    """Beside exact truth of frames 1 to 3: a sweep of frame 1, an accumulated map of frame 2."""
    drive = write_kitti(root, COUNT) / SEQUENCE
    for index in range(1, COUNT):
        exact = np.full(SIZE, 10.0 + index, np.float32)
        write_depth(drive / f"proj_depth/exact/image_02/{index:010d}.npz", exact)
    across = np.linspace(-2, 2, 40)
    ahead = np.full_like(across, 10.27)  # 10 m before the camera
    write_sweep(drive, 1, np.stack([ahead, across, np.full_like(across, -0.8)], axis=1))
    write_depth(
        drive / "proj_depth/groundtruth/image_02/0000000002.png", np.full(SIZE, 7.5), divide=256
    )
    return root


def depths_in(folder: Path) -> dict[str, set[float]]:
    """The depths of each exported truth, by the frame's number."""
    maps = {path.stem.split("+")[1]: np.load(path)["depth"] for path in folder.glob("*.npz")}
    return {name: {round(float(d), 3) for d in np.unique(m[m > 0])} for name, m in maps.items()}


def test_a_protocol_chooses_its_truth_and_says_which(model: Path, tmp_path: Path) -> None:
    kitti, out = write_truths(tmp_path / "kitti"), tmp_path / "out"
    eigen = evaluate_model(model, kitti, out, protocol="eigen")
    assert depths_in(out / TRUTH) == {"1": {10.27}, "2": {12}, "3": {13}}
    said = (
        "exact depth of a synthetic world (2 of 3 images); LiDAR sweeps, distance forward of the "
        "scanner (1 of 3 images), for want of LiDAR sweeps, distance forward of the scanner"
    )
    assert eigen.truth == json.loads((out / RESULTS).read_text())["truth"] == said
    assert said in (out / REPORT).read_text()

    uncropped = evaluate_model(model, kitti, out, protocol="none")
    assert depths_in(out / TRUTH) == {"1": {11}, "2": {12}, "3": {13}}
    assert uncropped.truth == "exact depth of a synthetic world"
    predicted = files_below(out / PREDICTIONS)

    improved = evaluate_model(model, kitti, out, protocol="improved")
    assert [row.id for row in improved.rows] == [f"{SEQUENCE} 2 l"]
    assert improved.truth == "KITTI's accumulated LiDAR maps"
    assert improved.by_distance[0].near == 7
    assert files_below(out / PREDICTIONS) == predicted
    fresh = evaluate_model(model, kitti, tmp_path / "fresh", protocol="improved")
    assert improved == fresh


def test_sweeps_alone_need_no_remark(model: Path, tmp_path: Path) -> None:
    kitti, split = write_truths(tmp_path / "kitti"), tmp_path / "split.txt"
    split.write_text(f"{SEQUENCE} 1 l\n")
    found = evaluate_model(model, kitti, tmp_path / "out", split=split)
    assert found.truth == "LiDAR sweeps, distance forward of the scanner"


def test_improved_without_accumulated_maps_is_refused(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    said = r"protocol improved: expected KITTI's accumulated .* of 4 frames, found none: put"
    with pytest.raises(ValueError, match=said):
        evaluate_model(model, kitti, tmp_path / "out", protocol="improved")
    assert not (tmp_path / "out").exists()


def test_a_damaged_image_stops_the_scoring_not_the_other_predictions(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    shutil.copytree(kitti, tmp_path / "kitti")
    image = tmp_path / "kitti" / SEQUENCE / "image_02/data/0000000002.png"
    # Whole at both ends, so that only whoever decodes it finds out.
    data = bytearray(image.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 40] = bytes(40)
    image.write_bytes(data)
    with pytest.raises(ValueError, match=r"0000000002\.png: expected a whole image"):
        evaluate_model(model, tmp_path / "kitti", tmp_path / "out")
    assert len(list((tmp_path / "out" / PREDICTIONS / "npy").iterdir())) == 2


def test_a_folder_by_predict_is_scored_as_the_model_is(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    ours = evaluate_model(model, kitti, tmp_path / "ours", protocol="none")
    predictor = DepthPredictor.load(model)
    left, truth = kitti / SEQUENCE / "image_02", tmp_path / "ours" / TRUTH
    for number, (inputs, folder) in enumerate(
        [(kitti, "npy"), (left / "data", "npy"), (kitti, ""), (left, "")]
    ):
        out = tmp_path / str(number)
        predict_files(predictor, model, [str(inputs)], out, ["npy", "colour"])
        found = evaluate_folders(out / folder, truth, tmp_path / "scores", protocol="none")
        assert found.mean == ours.mean
        assert (found.model, found.metric, found.flip) == (ours.model, True, False)
        # What was exported knows what it is, whoever scores against it.
        assert found.truth == ours.truth
    # And so does an evaluation's own folder of predictions.
    again = evaluate_folders(
        tmp_path / "ours" / PREDICTIONS, truth, tmp_path / "scores", protocol="none"
    )
    assert again == ours


def test_a_folder_by_predict_in_millimetres_needs_no_divide(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    ours = evaluate_model(model, kitti, tmp_path / "ours", protocol="eigen_50")
    left, truth = kitti / SEQUENCE / "image_02/data", tmp_path / "ours" / TRUTH
    predict_files(DepthPredictor.load(model), model, [str(left)], tmp_path / "d", ["millimetres"])
    found = evaluate_folders(tmp_path / "d", truth, tmp_path / "scores", protocol="eigen_50")
    assert found.mean.abs_rel == pytest.approx(ours.mean.abs_rel, abs=1e-3)
    with pytest.raises(ValueError, match="written with divide=1000, not 256; read it with"):
        evaluate_folders(tmp_path / "d", truth, tmp_path / "scores", divide=256)


@pytest.mark.parametrize(("protocol", "limit"), [("none", np.inf), ("eigen", 80)])
def test_millimetres_that_end_before_the_prediction_are_as_far_as_they_go(
    tmp_path: Path, protocol: str, limit: float
) -> None:
    """They hold 65.5 m; the prediction goes on to 100 m, and the truth to 79 m."""
    predicted = np.tile(np.linspace(5, 100, SIZE[1], dtype=np.float32), (SIZE[0], 1))
    truth = np.minimum(0.9 * predicted, 79)
    write_depth(tmp_path / "truth" / "a.npy", truth)
    write_predictions(tmp_path / "ours", {"a": predicted}, kinds=("npy", "millimetres"))
    folder, out = tmp_path / "ours" / "millimetres", tmp_path / "out"
    found = evaluate_folders(folder, tmp_path / "truth", out, protocol=protocol)
    mask = named_protocol(protocol).mask(truth)
    true, clamped = truth[mask].astype(float), np.clip(predicted[mask], 0, min(limit, 65.535))
    assert found.mean.abs_rel == pytest.approx(np.mean(np.abs(clamped - true) / true), rel=1e-4)
    assert (found.missing, found.beyond) == (0, np.count_nonzero(predicted[mask] > 65.535))
    said = f"{found.beyond:,} pixels predicted beyond the PNG's 65.5 m, scored as that far"
    assert said in found.settings()["scored"]
    assert said.replace("'", "&#x27;") in (out / REPORT).read_text()
    assert Evaluation.load(out / RESULTS) == found
    exact = evaluate_folders(tmp_path / "ours" / "npy", tmp_path / "truth", out, protocol=protocol)
    assert exact.beyond == 0
    assert "beyond" not in exact.settings()["scored"]


def test_an_image_that_was_replaced_is_predicted_again(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    shutil.copytree(kitti, tmp_path / "kitti")
    first = evaluate_model(model, tmp_path / "kitti", tmp_path / "out", protocol="none")
    drive = tmp_path / "kitti" / SEQUENCE
    write_image(drive / "image_02/data/0000000002.png", seed=77)
    write_depth(drive / "proj_depth/exact/image_02/0000000003.npz", np.full(SIZE, 4.0, np.float32))
    again = evaluate_model(model, tmp_path / "kitti", tmp_path / "out", protocol="none")
    fresh = evaluate_model(model, tmp_path / "kitti", tmp_path / "fresh", protocol="none")
    assert again == fresh
    same = [old == new for old, new in zip(first.rows, again.rows, strict=True)]
    assert same == [True, False, False]


def test_truth_of_a_new_calibration_is_projected_again(model: Path, tmp_path: Path) -> None:
    kitti, split = write_truths(tmp_path / "kitti"), tmp_path / "split.txt"
    split.write_text(f"{SEQUENCE} 1 l\n")
    evaluate_model(model, kitti, tmp_path / "out", split=split)
    path = kitti / DATE / "calib_velo_to_cam.txt"
    path.write_text(path.read_text().replace("-0.27", "-1.27"))
    evaluate_model(model, kitti, tmp_path / "out", split=split)
    evaluate_model(model, kitti, tmp_path / "fresh", split=split)
    exported, fresh = (files_below(tmp_path / name / TRUTH) for name in ("out", "fresh"))
    assert exported == fresh


def test_a_report_on_others_predictions_shows_their_photographs(
    model: Path, kitti: Path, tmp_path: Path
) -> None:
    evaluate_model(model, kitti, tmp_path / "ours", protocol="none")
    folders = (
        "--predictions",
        tmp_path / "ours" / PREDICTIONS,
        "--truth",
        tmp_path / "ours" / TRUTH,
    )
    command = ("evaluate", *folders, "--out", tmp_path / "out", "--protocol", "none")
    assert leadline(*command).code == 0
    plain = (tmp_path / "out" / REPORT).read_text()
    answer = leadline(*command, "--photographs", kitti / SEQUENCE / "image_02")
    assert answer.code == 0, answer.err
    shown = (tmp_path / "out" / REPORT).read_text()
    assert "photograph" not in plain
    assert shown.count("data:image/") == plain.count("data:image/") + COUNT - 1


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
    exported = sorted((tmp_path / "ours" / PREDICTIONS / "npy").glob("*.npy"))
    for row, path in zip(ours.rows, exported, strict=True):
        frame = row.id.split()[1]
        assert f"+{frame}+" in path.name
        # Under KITTI's names and in the 16-bit format of other programs, which says no unit.
        units = np.rint(np.load(path) * 256).astype(np.uint16)
        theirs.mkdir(exist_ok=True)
        cv2.imwrite(str(theirs / f"{int(frame):010d}.png"), units)
    found = evaluate_folders(
        theirs, tmp_path / "ours" / TRUTH, tmp_path / "out", protocol="eigen_50", divide=256
    )
    assert found.metric is None
    assert found.mean.abs_rel == pytest.approx(ours.mean.abs_rel, abs=1e-3)
    assert (tmp_path / "out" / REPORT).is_file()
    assert json.loads((tmp_path / "out" / RESULTS).read_text())["protocol"]["name"] == "eigen_50"


def test_the_command_prints_the_table(model: Path, kitti: Path, tmp_path: Path) -> None:
    command = ("evaluate", model, kitti, "--out", tmp_path / "out", "--protocol", "eigen_own_crop")
    answer = leadline(*command, "--scale", "median")
    assert answer.code == 0, answer.err
    assert "eigen_own_crop: Eigen crop, truth 0.001 to 80 m" in answer.out
    assert "best value per row" in answer.out
    words = " ".join(answer.out.split())
    assert "truth exact depth of a synthetic world, for want of LiDAR sweeps, distance" in words
    assert answer.out.endswith(f"report: {tmp_path / 'out' / REPORT}\n")
    again = leadline(*command, "--scale", "1.5")
    assert "factor: every image multiplied by 1.5" in again.out
