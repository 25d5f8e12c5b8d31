"""Folders of photographs become folders of depth that other programs read right."""

import json
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from data.tiny_trees import write_giant, write_image
from PIL import Image
from small_models import (
    SIZE,
    files_below,
    linked_copy,
    replace_text,
    write_model,
    write_photographs,
)

from leadline.colour import DepthScale, colour_depth
from leadline.data.prediction_record import RECORD, Output
from leadline.inference.model_folder import CONFIG
from leadline.inference.predict_files import PredictionSummary, default_outputs, predict_files
from leadline.inference.predictor import DepthPredictor

NAMES = ["a.png", "b.jpg", "trip/a.png", "trip/c.png"]
ALL: tuple[Output, ...] = ("millimetres", "kitti", "npy", "colour")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    return write_photographs(tmp_path / "photographs", NAMES)


class Fixed(DepthPredictor):
    """Predicts a ramp from 2 m to 120 m, whatever it sees."""

    def inverse_depth(self, images):  # type: ignore[no-untyped-def]
        ramp = np.linspace(2, 120, SIZE[1], dtype=np.float32)
        return [1 / np.broadcast_to(ramp, SIZE).copy() for _ in images]


@pytest.fixture
def ramp(model_folder: Path) -> Fixed:
    return Fixed.load(model_folder, device="cpu")


def test_the_four_outputs_are_read_back_right(
    ramp: Fixed, model_folder: Path, tmp_path: Path
) -> None:
    write_photographs(tmp_path / "in", ["a.png"], SIZE)
    out, scale = tmp_path / "out", DepthScale(2, 80)
    summary = predict_files(ramp, model_folder, [str(tmp_path / "in")], out, ALL, scale=scale)
    truth = np.broadcast_to(np.linspace(2, 120, SIZE[1], dtype=np.float32), SIZE)
    np.testing.assert_allclose(np.load(out / "npy" / "a.npy"), truth, rtol=1e-5)
    millimetres, kitti = (
        cv2.imread(str(out / kind / "a.png"), cv2.IMREAD_UNCHANGED)
        for kind in ("millimetres", "kitti")
    )
    assert millimetres.dtype == kitti.dtype == np.uint16
    near = truth < 65.535
    np.testing.assert_allclose(millimetres[near] / 1000, truth[near], atol=5.1e-4)
    np.testing.assert_allclose(kitti / 256, truth, atol=2e-3)
    # What 16 bits of millimetres cannot hold is missing, never a wall at 65 m, and is counted.
    assert (millimetres[~near] == 0).all()
    assert summary.beyond == (~near).sum() > 0
    picture = cv2.imread(str(out / "colour" / "a.png"))[..., ::-1]
    np.testing.assert_array_equal(picture, colour_depth(np.load(out / "npy" / "a.npy"), scale))


@pytest.mark.parametrize("batch_size", [1, 3])
def test_a_folder_is_predicted_as_its_photographs_are(
    model: DepthPredictor, model_folder: Path, photographs: Path, tmp_path: Path, batch_size: int
) -> None:
    told: list[tuple[int, int]] = []
    summary = predict_files(
        model,
        model_folder,
        [str(photographs)],
        tmp_path / "out",
        ["npy"],
        batch_size,
        progress=lambda done, total: told.append((done, total)),
    )
    assert (summary.written, summary.kept, summary.failed) == (4, 0, {})
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for name in NAMES:
        found = np.load((tmp_path / "out" / "npy" / name).with_suffix(".npy"))
        np.testing.assert_allclose(found, model(photographs / name), rtol=1e-4)


def test_an_interrupted_run_goes_on_and_keeps_what_it_had(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    def interrupt(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    def run(out: Path, **options: object) -> PredictionSummary:
        return predict_files(ramp, model_folder, [str(photographs)], out, ALL, **options)

    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        run(out, progress=interrupt)
    before = files_below(out)
    assert len([name for name in before if name.startswith("npy/")]) == 2
    times = {name: (out / name).stat().st_mtime_ns for name in before if name != RECORD}
    summary = run(out)
    assert (summary.written, summary.kept) == (2, 2)
    assert {name: (out / name).stat().st_mtime_ns for name in times} == times
    run(tmp_path / "at once")
    assert files_below(out) == files_below(tmp_path / "at once")
    assert run(out).kept == 4


def test_a_missing_output_alone_is_made_again(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    def run() -> PredictionSummary:
        return predict_files(ramp, model_folder, [str(photographs)], tmp_path / "out", ["npy"])

    run()
    (tmp_path / "out" / "npy" / "trip" / "a.npy").unlink()
    summary = run()
    assert (summary.written, summary.kept) == (1, 3)


def test_photographs_that_have_changed_are_predicted_again(
    model: DepthPredictor, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    def run(out: Path, *outputs: Output) -> PredictionSummary:
        scale = DepthScale(1, 50)
        return predict_files(model, model_folder, [str(photographs)], out, outputs, scale=scale)

    out = tmp_path / "out"
    run(out, "npy", "colour")
    before = files_below(out)
    write_image(photographs / "trip" / "a.png", seed=9)
    os.utime(photographs / "b.jpg", ns=(1, 1))
    summary = run(out, "npy")
    assert (summary.written, summary.kept) == (2, 2)
    after = files_below(out)
    changed = {name for name in before if after.get(name) != before[name]}
    # A touched photograph gives the same depth; pictures are asked for again by whoever wants them.
    assert changed == {RECORD, "npy/trip/a.npy", "colour/trip/a.png", "colour/b.png"}
    assert run(out, "npy", "colour").kept == 2
    run(tmp_path / "fresh", "npy", "colour")
    assert files_below(out) == files_below(tmp_path / "fresh")


def test_a_photograph_too_large_costs_a_line_and_not_the_folder(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    giant = write_giant(photographs / "trip" / "a.png")
    Image.new("L", ((1 << 20) + 1, 1)).save(photographs / "trip" / "c.png")
    summary = predict_files(ramp, model_folder, [str(photographs)], tmp_path / "out", ["npy"])
    assert summary.written == 2
    assert len(summary.failed) == 2
    assert "at most 178 million pixels" in summary.failed[str(giant)]


def test_colours_span_one_range_for_the_whole_folder(
    model: DepthPredictor, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out, first = tmp_path / "out", str(photographs / "a.png")
    predict_files(model, model_folder, [first], out, ["npy", "colour"])
    expected = DepthScale.spanning(np.load(out / "npy" / "a.npy"))
    predict_files(model, model_folder, [str(photographs)], out, ["npy", "colour"])
    for name in ("a", "b", "trip/c"):
        depth = np.load(out / "npy" / f"{name}.npy")
        picture = cv2.imread(str(out / "colour" / f"{name}.png"))[..., ::-1]
        np.testing.assert_array_equal(picture, colour_depth(depth, expected))
    with pytest.raises(ValueError, match="holds pictures with colours from"):
        predict_files(model, model_folder, [first], out, ["colour"], scale=DepthScale(1, 9))


def test_a_folder_is_of_one_model(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out, inputs = tmp_path / "out", [str(photographs)]
    predict_files(ramp, model_folder, inputs, out, ["npy"])
    before = files_below(out)
    other = write_model(tmp_path / "other", seed=1)
    with pytest.raises(ValueError, match=r"holds predictions of model \w+ instead of \w+; give"):
        predict_files(DepthPredictor.load(other), other, inputs, out, ["npy"])
    flipped = DepthPredictor.load(model_folder, flip=True)
    with pytest.raises(ValueError, match="flip False instead of True"):
        predict_files(flipped, model_folder, inputs, out, ["npy"])
    assert files_below(out) == before


def test_photographs_of_the_same_names_are_not_the_same(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_files(ramp, model_folder, [str(photographs)], out, ["npy"])
    other = write_photographs(tmp_path / "other trip", ["a.png", "z.png"])
    with pytest.raises(ValueError, match=r"a is there of .*photographs.*, and is asked for of"):
        predict_files(ramp, model_folder, [str(other)], out, ["npy"])
    more = predict_files(ramp, model_folder, [str(other / "z.png")], out, ["npy"])
    assert (more.written, more.kept) == (1, 0)


def test_what_nobody_knows_the_origin_of_is_not_kept_as_ours(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out, inputs = tmp_path / "out", [str(photographs)]
    (out / "npy").mkdir(parents=True)
    with pytest.raises(ValueError, match=r"is there without predictions\.json"):
        predict_files(ramp, model_folder, inputs, out, ["npy"])
    (out / RECORD).write_text(json.dumps({"ids": []}))
    with pytest.raises(ValueError, match="expected the record of a `leadline predict`"):
        predict_files(ramp, model_folder, inputs, out, ["npy"])


def test_a_damaged_photograph_is_named_and_the_others_are_done(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    damaged = photographs / "trip" / "a.png"
    damaged.write_bytes(damaged.read_bytes()[:100])
    out = tmp_path / "out"
    summary = predict_files(ramp, model_folder, [str(photographs)], out, ["npy"], batch_size=2)
    assert summary.written == 3
    assert list(summary.failed) == [str(damaged)]
    assert summary.failed[str(damaged)].startswith(f"{damaged}: expected a whole image")
    assert not (out / "npy" / "trip" / "a.npy").exists()


def test_depth_without_a_unit_is_not_written_as_metres(
    model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    folder = linked_copy(model_folder, tmp_path / "mono")
    replace_text(folder / CONFIG, "metric: true", "metric: false")
    mono, out = DepthPredictor.load(folder), tmp_path / "out"
    with pytest.raises(ValueError, match=r"millimetres holds metres, but .* choose npy and colour"):
        predict_files(mono, folder, [str(photographs)], out, ["millimetres", "npy"])
    assert not out.exists()
    predict_files(mono, folder, [str(photographs / "a.png")], out, default_outputs(metric=False))
    settings = json.loads((out / RECORD).read_text())["settings"]
    assert (settings["metric"], settings["unit"]) == (False, "arbitrary")


def test_a_record_from_before_neighbours_were_noted_is_gone_on_with(
    ramp: Fixed, model_folder: Path, photographs: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    predict_files(ramp, model_folder, [str(photographs)], out, ["npy"])
    record = out / RECORD
    record.write_text(record.read_text().replace('"manner": ""', '"refined": ""'))
    assert "refined" in record.read_text()
    again = predict_files(ramp, model_folder, [str(photographs)], out, ["npy"])
    assert again.written == 0
    assert again.kept


def test_a_batch_has_photographs(ramp: Fixed, model_folder: Path, photographs: Path) -> None:
    with pytest.raises(ValueError, match="batch size: expected 1 or more, got 0"):
        predict_files(ramp, model_folder, [str(photographs)], photographs / "out", ["npy"], 0)
