import io
import json
from dataclasses import replace

import cv2
import numpy as np
import pytest
from prediction_folders import SETTINGS, depth_path, write_predictions
from rich.console import Console

from leadline.data.prediction_record import RECORD
from leadline.evaluation.alignment import Alignment
from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.guesses import honest_guesses
from leadline.evaluation.pixels import scored_pixels
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.results import Evaluation
from leadline.evaluation.score import score, score_folders
from leadline.evaluation.table import evaluation_table
from leadline.metrics import DepthMetrics, depth_metrics, mean_metrics

SIZE = (40, 60)
IDS = ("0001", "0002", "0003")


@pytest.fixture
def folders(tmp_path):
    """Three truths on a slope with holes; noisy predictions twice as near, of half the size."""
    rng = np.random.default_rng(7)
    predicted = {}
    (tmp_path / "truth").mkdir()
    for image_id in IDS:
        slope = np.repeat(np.geomspace(90, 2, SIZE[0])[:, None], SIZE[1], axis=1)
        truth = slope * rng.uniform(0.8, 1.2, SIZE) * (rng.random(SIZE) < 0.5)
        np.save(tmp_path / "truth" / f"{image_id}.npy", truth)
        predicted[image_id] = slope[1::2, 1::2] / 2 * rng.uniform(0.9, 1.1, (20, 30))
    write_predictions(tmp_path / "predictions", predicted)
    return tmp_path


def slow_row(folders, image_id, scaling):
    truth = np.load(folders / "truth" / f"{image_id}.npy")
    depth = np.load(depth_path(folders / "predictions", image_id)).astype(float)
    depth = 1 / cv2.resize(1 / depth, (SIZE[1], SIZE[0]))
    top, bottom, left, right = (
        int(f * n)
        for f, n in zip(
            (0.40810811, 0.99189189, 0.03594771, 0.96405229), (40, 40, 60, 60), strict=True
        )
    )
    p, g = [], []
    for y in range(top, bottom):
        for x in range(left, right):
            if 1e-3 < truth[y, x] < 80:
                p.append(depth[y, x])
                g.append(truth[y, x])
    p, g = np.array(p), np.array(g)
    ratio = np.median(g) / np.median(p)
    p = np.clip(p * (ratio if scaling == "median" else float(scaling)), 1e-3, 80)
    return depth_metrics(p, g), ratio, len(g)


@pytest.mark.parametrize("scaling", ["1", "median", "2.5"])
def test_score_equals_a_slow_second_way(folders, scaling):
    evaluation = score_folders(
        folders / "predictions", folders / "truth", alignment="none" if scaling == "1" else scaling
    )
    assert [row.id for row in evaluation.rows] == list(IDS)
    for row in evaluation.rows:
        metrics, ratio, pixels = slow_row(folders, row.id, scaling)
        assert row.metrics.as_row() == pytest.approx(metrics.as_row(), rel=1e-9)
        assert row.ratio == pytest.approx(ratio)
        assert (row.pixels, row.missing) == (pixels, 0)
    ratios = np.array([row.ratio for row in evaluation.rows])
    assert evaluation.mean == mean_metrics(row.metrics for row in evaluation.rows)
    assert evaluation.median_ratio == pytest.approx(np.median(ratios))
    assert evaluation.ratio_spread == pytest.approx(np.std(ratios / np.median(ratios)))


def test_the_right_scale_helps(folders):
    wrong = score_folders(folders / "predictions", folders / "truth")
    right = score_folders(folders / "predictions", folders / "truth", alignment=2)
    assert wrong.median_ratio == pytest.approx(2, abs=0.2)
    assert right.mean.abs_rel < 0.2 < wrong.mean.abs_rel


def test_threads_do_not_change_the_result(folders):
    one, four = (
        score_folders(folders / "predictions", folders / "truth", workers=n) for n in (1, 4)
    )
    assert one == four


def test_results_survive_the_disk(folders, tmp_path):
    evaluation = score_folders(folders / "predictions", folders / "truth", alignment="median")
    path = tmp_path / "out" / "results.json"
    evaluation.save(path)
    assert Evaluation.load(path) == evaluation
    values = json.loads(path.read_text())
    assert values["mean"]["abs_rel"] == evaluation.mean.abs_rel
    assert [each.name for each in path.parent.iterdir()] == ["results.json"]
    path.write_text('{"rows": []}')
    with pytest.raises(
        ValueError, match=r"results\.json: expected the results of .*evaluate again"
    ):
        Evaluation.load(path)


def test_an_uncropped_protocol_survives_the_disk(folders, tmp_path):
    evaluation = score_folders(folders / "predictions", folders / "truth", protocol="none")
    evaluation.save(tmp_path / "results.json")
    assert Evaluation.load(tmp_path / "results.json") == evaluation
    assert evaluation.by_distance[-1].near == 100  # beyond 80 m counts here


@pytest.mark.parametrize(
    ("metric", "alignment", "statement"),
    [
        (True, "none", "yes"),
        (False, "none", "no: predictions of unknown scale"),
        (None, "none", "not stated"),
        (True, "median", "no: every image was scaled with the help of its own truth"),
        (False, "5.4", "only by the fixed factor 5.4"),
    ],
)
def test_metres_are_claimed_only_where_they_are(folders, metric, alignment, statement):
    evaluation = score(
        DepthFolder.open(folders / "predictions" / "npy"),
        DepthFolder.open(folders / "truth"),
        named_protocol("eigen"),
        Alignment.parse(alignment),
        metric=metric,
    )
    assert evaluation.metric_statement().startswith(statement)


def test_the_table_says_what_was_done(folders):
    evaluation = score_folders(folders / "predictions", folders / "truth", alignment="median")
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(evaluation_table(evaluation))
    text = " ".join(console.export_text().split())
    for expected in (
        "eigen: Garg crop, truth 0.001 to 80 m",
        "median: each image multiplied by",
        "3 images",
        f"{evaluation.pixels:,} pixels",
        "no: every image was scaled",
        f"{evaluation.mean.rmse_log:.4f}",
        f"{evaluation.guesses['best constant'].sq_rel:.4f}",
        "best value per row",
    ):
        assert expected in text, expected


def test_an_image_without_truth_to_score_is_said(folders):
    np.save(folders / "truth" / "0002.npy", np.zeros(SIZE))
    evaluation = score_folders(folders / "predictions", folders / "truth")
    assert evaluation.unscored == ("0002",)
    assert [row.id for row in evaluation.rows] == ["0001", "0003"]
    assert "1 image without truth" in evaluation.settings()["scored"]


def test_nothing_at_all_to_score_is_an_error(folders):
    for image_id in IDS:
        np.save(folders / "truth" / f"{image_id}.npy", np.full(SIZE, 500.0))
    with pytest.raises(ValueError, match=r"truth to score in .*truth under .*'eigen'.*3 images"):
        score_folders(folders / "predictions", folders / "truth")


def test_missing_predictions_are_counted_and_scored_at_the_floor():
    truth = np.full((4, 4), 2.0)
    prediction = truth.copy()
    prediction[0, 0] = 0
    pixels = scored_pixels(prediction, truth, named_protocol("none"), Alignment())
    assert pixels is not None
    assert pixels.missing == 1
    assert pixels.prediction.min() == 1e-3


def test_the_median_is_taken_before_the_clamp():
    truth = np.full((1, 5), 40.0)
    prediction = np.array([[10.0, 200.0, 200.0, 200.0, 200.0]])
    pixels = scored_pixels(prediction, truth, named_protocol("improved"), Alignment("median"))
    assert pixels is not None
    assert pixels.ratio() == pytest.approx(0.2)
    assert pixels.prediction == pytest.approx([2, 40, 40, 40, 40])


def test_infinitely_far_needs_a_cap(folders):
    path = depth_path(folders / "predictions", "0001")
    depth = np.load(path)
    depth[-3, 5] = np.inf
    np.save(path, depth)
    assert score_folders(folders / "predictions", folders / "truth").rows
    near = np.full(SIZE, 3.0)
    np.save(path, np.where(np.arange(SIZE[1]) < 9, np.inf, near))
    with pytest.raises(ValueError, match=r"image '0001': .*'none', which has no cap"):
        score_folders(folders / "predictions", folders / "truth", protocol="none")


def test_a_missing_prediction_stops_the_scoring(folders):
    depth_path(folders / "predictions", "0003").unlink()
    with pytest.raises(
        ValueError, match="a prediction for every truth, got none for 1 of 3: '0003'"
    ):
        score_folders(folders / "predictions", folders / "truth")


def test_only_the_truths_that_are_asked_for_count(folders):
    whole = score_folders(folders / "predictions", folders / "truth")
    depth_path(folders / "predictions", "0003").unlink()
    part = score_folders(folders / "predictions", folders / "truth", only={"0001", "0002"})
    assert part.rows == whole.rows[:2]
    assert part.guesses != whole.guesses


def test_settings_of_predictions_come_from_their_record(folders):
    evaluation = score_folders(folders / "predictions", folders / "truth")
    assert (evaluation.model, evaluation.metric) == ("net 0123456789ab", True)
    assert evaluation.settings()["flip"] == "none"
    depths = {image_id: np.ones((2, 2)) for image_id in IDS}
    write_predictions(folders / "flipped", depths, replace(SETTINGS, flip=True, metric=False))
    evaluation = score_folders(folders / "flipped", folders / "truth")
    assert (evaluation.flip, evaluation.metric) == (True, False)
    assert evaluation.settings()["flip"] == "blended with the mirrored picture"
    (folders / "predictions" / RECORD).unlink()
    evaluation = score_folders(folders / "predictions" / "npy", folders / "truth")
    assert (evaluation.model, evaluation.metric, evaluation.flip) == ("npy", None, None)
    assert evaluation.settings()["flip"] == "not stated"


def test_truth_of_anyone_is_named_by_its_folder(folders):
    evaluation = score_folders(folders / "predictions", folders / "truth")
    assert evaluation.truth == f"depth maps as they are in {folders / 'truth'}"
    assert evaluation.settings()["truth"] == evaluation.truth


def test_a_median_is_needed_by_median_scaling_alone(folders):
    path = depth_path(folders / "predictions", "0002")
    mostly_missing = np.load(path)
    mostly_missing[:, 4:] = 0
    np.save(path, mostly_missing)
    for alignment in ("none", 2):
        evaluation = score_folders(folders / "predictions", folders / "truth", alignment=alignment)
        assert [row.ratio is None for row in evaluation.rows] == [False, True, False]
        ratios = [row.ratio for row in evaluation.rows if row.ratio is not None]
        assert evaluation.median_ratio == pytest.approx(np.mean(ratios))
        evaluation.save(folders / "results.json")
        assert Evaluation.load(folders / "results.json") == evaluation
    with pytest.raises(ValueError, match="image '0002': expected a prediction whose median"):
        score_folders(folders / "predictions", folders / "truth", alignment="median")


def test_scores_can_be_told_where_nothing_has_a_median(folders):
    for image_id in IDS:
        np.save(depth_path(folders / "predictions", image_id), np.zeros((20, 30)))
    evaluation = score_folders(folders / "predictions", folders / "truth")
    assert evaluation.ratios == []
    assert evaluation.settings()["scale"].startswith("unknown: in no image")
    evaluation.save(folders / "results.json")


def test_no_median_is_computed_for_what_needs_none(monkeypatch):
    def refuse(*_):
        raise AssertionError("nobody needs a median here")

    monkeypatch.setattr("leadline.evaluation.pixels.median_ratio", refuse)
    monkeypatch.setattr("leadline.evaluation.guesses.median_ratio", refuse)
    truth = np.full((4, 4), 2.0)
    assert scored_pixels(truth, truth, named_protocol("none"), Alignment("factor", 2)) is not None
    assert honest_guesses([truth], named_protocol("none"))


def test_rows_hold_plain_numbers(folders):
    row = score_folders(folders / "predictions", folders / "truth").rows[0]
    assert isinstance(row.metrics, DepthMetrics)
    assert all(type(value) is float for value in (*row.metrics.as_row(), row.ratio))
