"""Whatever folder of predictions is given, its depth is found, and what made it where that is
known.
"""

import json

import cv2
import numpy as np
import pytest
from prediction_folders import SETTINGS, depth_path, write_predictions

from leadline.data.prediction_record import RECORD
from leadline.evaluation.predictions import open_predictions, open_truth

IDS = ("day/drive 1 l", "0002", "three")
DEPTH = np.array([[0.5, 3.123456], [79.9, 100.0]], dtype=np.float32)


def test_predictions_of_ours_come_back_exactly_and_with_their_settings(tmp_path):
    write_predictions(tmp_path, dict.fromkeys(IDS, DEPTH))
    for folder in (tmp_path, tmp_path / "npy"):
        depths, settings = open_predictions(folder)
        assert set(depths.ids) == set(IDS)
        assert all((depths.read(image_id) == DEPTH).all() for image_id in IDS)
        assert settings == SETTINGS


@pytest.mark.parametrize(("kind", "step"), [("kitti", 1 / 256), ("millimetres", 1 / 1000)])
def test_pngs_of_ours_need_no_divide(tmp_path, kind, step):
    write_predictions(tmp_path, {"a": DEPTH}, kinds=(kind,))
    for folder in (tmp_path, tmp_path / kind):
        read = open_predictions(folder)[0].read("a")
        kept = 65535 * step > DEPTH
        assert read[kept] == pytest.approx(DEPTH[kept], abs=0.5 * step)
        # What is too far for 16 bits is as far as they go, and not absent.
        assert read[~kept].tolist() == [65535 * step] * int((~kept).sum())


def test_zeros_of_others_are_missing(tmp_path):
    write_predictions(tmp_path, {"a": DEPTH}, kinds=("millimetres",))
    (tmp_path / RECORD).unlink()
    assert (open_predictions(tmp_path)[0].read("millimetres/a")[DEPTH > 66] == 0).all()
    write_predictions(tmp_path / "own", {"a": np.zeros_like(DEPTH)})
    assert (open_predictions(tmp_path / "own")[0].read("a") == 0).all()


def test_the_most_complete_output_is_read_then_the_most_exact(tmp_path):
    write_predictions(tmp_path, dict.fromkeys(IDS, DEPTH), kinds=("millimetres", "kitti", "npy"))
    assert open_predictions(tmp_path)[0].folder == tmp_path / "npy"
    depth_path(tmp_path, IDS[1]).unlink()
    assert open_predictions(tmp_path)[0].folder == tmp_path / "kitti"


def test_pictures_alone_are_no_predictions(tmp_path):
    write_predictions(tmp_path, {})
    (tmp_path / "colour").mkdir()
    cv2.imwrite(str(tmp_path / "colour" / "a.png"), np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(FileNotFoundError, match="predict` again, with npy among its --outputs"):
        open_predictions(tmp_path)


def test_predictions_of_others_need_no_record(tmp_path):
    (tmp_path / "npy").mkdir()
    np.save(tmp_path / "npy" / "0002.npy", DEPTH)
    depths, settings = open_predictions(tmp_path)
    assert settings is None
    assert depths.ids == ("npy/0002",)
    assert open_predictions(tmp_path / "npy")[1] is None


def test_a_wrong_divide_is_not_believed(tmp_path):
    write_predictions(tmp_path, {"a": DEPTH}, kinds=("kitti",))
    with pytest.raises(ValueError, match="written with divide=256, not 1000"):
        open_predictions(tmp_path, divide=1000)[0].read("a")
    assert open_predictions(tmp_path, divide=256)[0].read("a")[0, 0] == 0.5


def test_truth_knows_its_divide_and_is_kittis_otherwise(tmp_path):
    write_predictions(tmp_path, {"ours": DEPTH}, kinds=("millimetres",))
    cv2.imwrite(str(tmp_path / "theirs.png"), np.full((2, 2), 512, np.uint16))
    truth = open_truth(tmp_path)
    assert truth.read("millimetres/ours")[0, 0] == 0.5
    assert truth.read("theirs")[0, 0] == 2
    assert open_truth(tmp_path, divide=512).read("theirs")[0, 0] == 1


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"metric": true, "ids": []}'])
def test_a_broken_record_is_named(tmp_path, text):
    (tmp_path / RECORD).write_text(text)
    with pytest.raises(ValueError, match=r"predictions\.json: expected the record of a `leadline"):
        open_predictions(tmp_path)


def test_the_record_says_the_unit(tmp_path):
    write_predictions(tmp_path, {"a": DEPTH})
    assert json.loads((tmp_path / RECORD).read_text())["settings"]["unit"] == "metre"
