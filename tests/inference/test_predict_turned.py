"""Photographs that a phone has turned give upright depth; images of a rig stay as they are."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import ExifTags, Image
from small_models import write_photographs

from leadline.data.image_files import read_picture
from leadline.data.prediction_record import PredictionRecord
from leadline.evaluation.panels import read_photograph
from leadline.inference.predict_files import (
    predict_files,
    predict_photographs,
    prediction_settings,
)
from leadline.inference.predictor import DepthPredictor

KINDS = ("npy", "millimetres", "kitti", "colour")


def write_turned(folder: Path) -> tuple[Path, Path]:
    """A photograph that was taken with the camera on its side, and the same one upright."""
    upright = write_photographs(folder / "upright", ["a.png"], (70, 50)) / "a.png"
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6  # to be turned clockwise, as by phones held upright
    stored = Image.open(upright).transpose(Image.Transpose.ROTATE_90)
    (folder / "turned").mkdir()
    stored.save(folder / "turned" / "a.jpg", exif=exif, quality=100, subsampling=0)
    return folder / "turned" / "a.jpg", upright


@pytest.mark.parametrize("batch_size", [1, 2])
def test_a_photograph_that_was_turned_is_predicted_upright(
    model: DepthPredictor, model_folder: Path, tmp_path: Path, batch_size: int
) -> None:
    turned, upright = write_turned(tmp_path)
    write_photographs(turned.parent, ["b.jpg"])
    out = tmp_path / "out"
    predict_files(model, model_folder, [str(turned.parent)], out, KINDS, batch_size)
    depth = np.load(out / "npy" / "a.npy")
    assert depth.shape == read_picture(turned).shape[:2] == (70, 50)
    record = PredictionRecord.load(out)
    assert record is not None
    assert record.settings.upright
    expected = model(upright)
    difference, contrast = (
        np.abs(depth / other - 1).mean() for other in (expected, expected[::-1, ::-1])
    )
    assert difference < contrast / 5
    for kind in KINDS[1:]:
        assert cv2.imread(str(out / kind / "a.png")).shape[:2] == (70, 50)
    assert np.load(out / "npy" / "b.npy").shape == (50, 70)
    np.testing.assert_allclose(model(turned), depth, rtol=1e-4)


def test_images_of_a_rig_are_predicted_as_their_sensor_gave_them(
    model: DepthPredictor, model_folder: Path, tmp_path: Path
) -> None:
    turned, _ = write_turned(tmp_path)
    settings, out = prediction_settings(model, model_folder), tmp_path / "out"
    predict_photographs(model, settings, {turned: Path("a")}, out, ["npy"])
    assert np.load(out / "npy" / "a.npy").shape == (50, 70)
    with pytest.raises(ValueError, match="upright False instead of True"):
        predict_files(model, model_folder, [str(turned)], out, KINDS)


def test_a_report_shows_the_picture_as_its_depth_lies(tmp_path: Path) -> None:
    turned, upright = write_turned(tmp_path)
    shown = read_photograph(turned, *read_picture(upright).shape[:2]).astype(int)
    assert np.abs(shown - read_picture(upright)).mean() < 2


def test_a_report_shows_a_picture_of_a_rig_as_its_sensor_gave_it(tmp_path: Path) -> None:
    turned, _ = write_turned(tmp_path)
    stored = Image.open(turned)
    shown = read_photograph(turned, stored.height, stored.width)
    assert np.abs(shown.astype(int) - np.asarray(stored)).mean() < 1
