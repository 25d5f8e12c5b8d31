"""Agreement with an independent scorer that shares no code with the package."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from leadline.evaluation.alignment import Alignment
from leadline.evaluation.guesses import CONSTANT, ROW, honest_guesses
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import Protocol, named_protocol
from leadline.evaluation.score import score

pytestmark = pytest.mark.real

DRIVE = "kitti_raw/2011_09_26/2011_09_26_drive_0023_sync/proj_depth/velodyne/image_02"
# The judge prints three decimals; its rows hold all of them.
RUN = """
import json, runpy, sys
sys.argv = sys.argv[1:]
rows = runpy.run_path(sys.argv[0], run_name="__main__")["rows"]
print(json.dumps([[float(value) for value in row] for row in rows]))
"""


@pytest.fixture(scope="module")
def truth_folder(real_data):
    return real_data / DRIVE


@pytest.fixture(scope="module")
def predictions_folder(truth_folder, tmp_path_factory):
    """Small, noisy, wrongly scaled depth in the formats that the judge reads, by its stems."""
    folder = tmp_path_factory.mktemp("predictions")
    rng = np.random.default_rng(0)
    truth = open_truth(truth_folder)
    for number, image_id in enumerate(truth.ids):
        known = truth.read(image_id)
        height = np.linspace(1, 0.05, 192)[:, None]
        depth = (60 * height**2 + 4) * rng.uniform(0.7, 1.5, (192, 640)) / 1.3
        if number % 2:  # every other one at full size and close to the truth
            depth = np.where(known > 0, known, 20) * rng.uniform(0.8, 1.3, known.shape) / 1.3
        if number == 0:
            np.savez(folder / f"{image_id}.npz", depth.astype(np.float32))
        else:
            np.save(folder / f"{image_id}.npy", depth.astype(np.float32))
    return folder


@pytest.fixture(scope="module")
def judge(real_data, truth_folder):
    program = real_data.parent / "tools" / "depth_score.py"
    if not program.is_file():
        pytest.skip(f"no independent scorer at {program}")

    def rows(predictions: Path, *options: str) -> list[list[float]]:
        done = subprocess.run(
            [sys.executable, "-c", RUN, str(program), str(predictions), str(truth_folder)]
            + [str(option) for option in options],
            capture_output=True,
            text=True,
            check=True,
        )
        return json.loads(done.stdout.splitlines()[-1])

    return rows


NO_CROP = Protocol("eigen without crop", None, 1e-3, cap=80, prediction_cap=80)


@pytest.mark.parametrize(
    ("protocol", "scale", "options"),
    [
        (named_protocol("eigen"), "none", ()),
        (named_protocol("eigen"), "median", ("--scale", "median")),
        (named_protocol("eigen"), "1.3", ("--scale", "1.3")),
        (named_protocol("eigen_50"), "median", ("--scale", "median", "--cap", "50")),
        (NO_CROP, "none", ("--no-crop",)),
    ],
    ids=["none", "median", "factor", "cap 50", "no crop"],
)
def test_figures_of_every_image_agree(
    judge, predictions_folder, truth_folder, protocol, scale, options
):
    predictions, _ = open_predictions(predictions_folder)
    evaluation = score(predictions, open_truth(truth_folder), protocol, Alignment.parse(scale))
    expected = judge(predictions_folder, *options)
    assert len(expected) == len(evaluation.rows) == 7
    ours = [row.metrics.as_row()[:7] for row in evaluation.rows]
    assert np.abs(np.array(ours) - np.array(expected)).max() < 5e-5
    assert evaluation.mean.as_row()[:7] == pytest.approx(np.mean(expected, axis=0), abs=5e-5)


@pytest.mark.parametrize(
    ("name", "option", "scale"),
    [
        (CONSTANT, "constant", "none"),
        (CONSTANT, "constant", "median"),
        pytest.param(ROW, "row", "none", marks=pytest.mark.slow),
    ],
)
def test_honest_guesses_agree(judge, truth_folder, name, option, scale):
    truth = open_truth(truth_folder)
    guesses = honest_guesses(
        (truth.read(image_id) for image_id in truth.ids),
        named_protocol("eigen"),
        Alignment.parse(scale),
    )
    expected = np.mean(judge(truth_folder, "--guess", option, "--scale", scale), axis=0)
    assert guesses[name].as_row()[:7] == pytest.approx(expected, abs=5e-5)


def test_the_known_answers_of_the_guesses(truth_folder):
    truth = open_truth(truth_folder)
    depths = [truth.read(image_id) for image_id in truth.ids]
    guesses = honest_guesses(depths, named_protocol("eigen"))
    assert guesses[CONSTANT].abs_rel == pytest.approx(0.376, abs=5e-4)
    assert guesses[ROW].abs_rel == pytest.approx(0.231, abs=5e-4)
