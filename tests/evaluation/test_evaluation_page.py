import re
from dataclasses import replace

import cv2
import numpy as np
import pytest
from prediction_folders import SETTINGS, write_predictions

from leadline.evaluation.page import evaluation_page
from leadline.evaluation.panels import Panel, find_photographs, read_photograph
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.score import score_folders

SIZE = (30, 50)
IDS = tuple(f"day/drive {frame:04d} l" for frame in range(9))


@pytest.fixture
def folders(tmp_path):
    rng = np.random.default_rng(0)
    truth = np.repeat(np.geomspace(60, 3, SIZE[0])[:, None], SIZE[1], axis=1)
    predicted = {}
    (tmp_path / "truth").mkdir()
    (tmp_path / "photographs").mkdir()
    for number, image_id in enumerate(IDS):
        stem = f"{number:04d}"
        np.save(tmp_path / "truth" / f"{stem}.npy", truth * (rng.random(SIZE) < 0.2))
        predicted[image_id] = truth[::2, ::2] * (1 + 0.05 * number)
        picture = rng.integers(0, 255, (60, 100, 3), dtype=np.uint8)
        cv2.imwrite(str(tmp_path / "photographs" / f"{stem}.jpg"), picture)
    settings = replace(SETTINGS, recipe="<b>net</b> & co")
    write_predictions(tmp_path / "predictions", predicted, settings)
    return tmp_path


def page_of(folders, **options):
    evaluation = score_folders(folders / "predictions", folders / "truth", protocol="improved")
    predictions, _ = open_predictions(folders / "predictions")
    return evaluation, evaluation_page(
        evaluation, predictions, open_truth(folders / "truth"), **options
    )


def test_the_page_tells_the_result_and_its_settings(folders):
    evaluation, page = page_of(folders)
    for expected in (
        "Better than what needs no picture"
        if evaluation.mean.abs_rel < evaluation.guesses["best value per row"].abs_rel
        else "No better than what needs no picture",
        "improved: no crop, all valid truth, predictions clamped to 0.001..80 m",
        "yes: predictions in metres",
        f"depth maps as they are in {folders / 'truth'}",
        f"{evaluation.pixels:,} pixels",
        f">{evaluation.mean.abs_rel:.3f}</td>",
        "guess: best constant",
        "Error and distance",
    ):
        assert expected in page, expected
    assert page.count("<tr>") + page.count("<tr class") == 2 + 3 + len(IDS)


def test_the_page_asks_for_nothing_and_trusts_no_text(folders):
    _, page = page_of(folders)
    assert not re.search(r"(?:https?:)?//[a-z]", re.sub(r"base64,[^\"]*", "", page))
    assert "<b>net" not in page
    assert "&lt;b&gt;net&lt;/b&gt; &amp; co" in page


def test_best_and_worst_are_shown_in_order_and_once(folders):
    _, page = page_of(folders, shown=2)
    ranks = re.findall(r"<h3>Rank (\d) of 9: (\d+), Abs Rel ([\d.]+)</h3>", page)
    assert [(rank, image) for rank, image, _ in ranks] == [
        ("1", "0000"),
        ("2", "0001"),
        ("8", "0007"),
        ("9", "0008"),
    ]
    assert page.count("<figure>") == 4 * 3
    _, whole = page_of(folders, shown=7)
    assert whole.count("<h3>Rank") == 9


def test_photographs_are_added_where_given(folders):
    truth = open_truth(folders / "truth")
    photographs = find_photographs(folders / "photographs", truth.ids)
    assert photographs["0003"].name == "0003.jpg"
    _, page = page_of(folders, photographs=photographs, shown=1)
    assert page.count("<figure>") == 2 * 4
    assert page.count("photograph") >= 2
    with pytest.raises(ValueError, match="a picture for every truth"):
        find_photographs(folders / "photographs", ("elsewhere",))
    with pytest.raises(FileNotFoundError, match="expected pictures"):
        find_photographs(folders / "truth", truth.ids)


def test_a_photograph_is_rgb_at_the_size_of_the_truth(tmp_path):
    red = np.zeros((8, 8, 3), dtype=np.uint8)
    red[..., 2] = 255  # OpenCV writes blue first
    cv2.imwrite(str(tmp_path / "a.png"), red)
    assert (read_photograph(tmp_path / "a.png", 4, 4) == (255, 0, 0)).all()
    (tmp_path / "b.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"b\.png: expected a whole image"):
        read_photograph(tmp_path / "b.png", 4, 4)


def test_a_panel_shows_what_was_scored():
    truth = np.full((40, 40), 10.0)
    truth[:, 20:] = 0
    prediction = np.full((20, 20), 5.0)
    panel = Panel.of("x", prediction, truth, named_protocol("none"), 2.4, None)
    assert panel.prediction == pytest.approx(np.full((40, 40), 12.0))
    error = panel._error()
    assert (error[:, :20, 0] > error[:, :20, 2]).all()  # 20 % too far: red
    assert (error[:, 30:] == error[0, -1]).all()  # nothing to compare with: grey
