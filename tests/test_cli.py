"""The command line as a newcomer uses it: help at once, and the whole chain at tiny sizes."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import leadline
from safetensors.torch import load_file
from small_models import files_below, linked_copy, write_tiny_backbone
from worlds import DEPTH, hints_of, write_stereo_folder

from leadline.data.depth_files import write_depth
from leadline.inference.model_folder import WEIGHTS
from leadline.recipes import recipe_names, recipe_text
from leadline.training.curves import read_curves
from leadline.training.run_folder import CURVES

VERBS = ("demo", "synthetic", "unpack", "hints", "recipes", "train", "evaluate", "predict")
HELP_SECONDS = 1.0
TIMEOUT = 120
"""Seconds; far beyond what a slow machine takes for a few steps."""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight stereo pairs of a wall, with hints beside them; not to be changed."""
    return write_stereo_folder(tmp_path_factory.mktemp("worlds") / "world", count=8, size=(32, 64))


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Overrides under which a recipe trains in a second or two."""
    backbone = write_tiny_backbone(tmp_path_factory.mktemp("backbones") / "tiny")
    return [
        f"--model.predictor.init_args.depth.init_args.backbone={backbone}",
        *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
        *("--run.epochs=1", "--run.loggers=[]", "--run.log_every=1"),
    ]


@pytest.fixture(scope="module")
def trained(
    world: Path, settings: list[str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """A run, and what it said."""
    run = tmp_path_factory.mktemp("runs") / "run"
    answer = leadline("train", "demo", world, "--hints", hints_of(world), "--out", run, *settings)
    assert answer.code == 0, answer.err
    return run, answer.out


def first_loss(run: Path) -> float:
    return next(value for _, name, value in read_curves(run / CURVES) if name == "train/loss")


def test_help_answers_at_once_without_torch() -> None:
    program = (
        "import sys; from leadline.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'torch', 'cv2', 'numpy'} & set(sys.modules)))"
    )
    runs = []
    for _ in range(3):
        start = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True
        )
        runs.append(time.perf_counter() - start)
    assert done.stdout.endswith("[]\n")
    assert all(verb in done.stdout for verb in VERBS)
    assert min(runs) < HELP_SECONDS


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(verb: str) -> None:
    answer = leadline(verb, "--help")
    assert answer.code == 0
    assert answer.out.startswith(f"usage: leadline {verb}")


def test_recipes_are_listed_and_printed() -> None:
    listed = leadline("recipes")
    assert [line.split()[0] for line in listed.out.splitlines()] == recipe_names()
    assert leadline("recipes", "depth_hints_s").out == recipe_text("depth_hints_s")
    assert leadline("recipes", "depth_hint_s").complaint.endswith("did you mean depth_hints_s?")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["paint"], "invalid choice: 'paint'"),
        ([], "required: VERB"),
        (["recipes", "--all"], "unknown argument --all; see `leadline recipes --help`"),
        (["predict", "model"], "required: inputs; see `leadline predict --help`"),
        (["train", "demo", "photographs"], "required: --out; see `leadline train --help`"),
    ],
)
def test_wrong_words_cost_one_line(words: list[str], complaint: str) -> None:
    answer = leadline(*words)
    assert answer.code == 2
    assert complaint in answer.complaint
    assert len(answer.err.splitlines()) == 1


def test_hints_are_made_and_kept(world: Path, tmp_path: Path) -> None:
    words = ("hints", world, "--out", tmp_path, "--width=192", "--height=96", "--workers=1")
    first = leadline(*words)
    assert first.code == 0
    assert "16 hints written" in first.out
    # Nobody watches: no bar is drawn.
    assert first.err == ""
    assert first.out.isascii()
    assert "0 hints written" in leadline(*words).out
    assert "16 were there" in leadline(*words).out


def test_the_usual_folder_of_hints_may_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rig = write_stereo_folder(tmp_path / "rig", count=1)
    monkeypatch.chdir(tmp_path)
    words = ("hints", "rig", "--width=192", "--height=96", "--workers=1")
    assert "2 hints written" in leadline(*words, "--out", rig / "hints").out
    assert "2 were there" in leadline(*words).out
    assert "outside the data set" in leadline(*words, "--out", rig / "left").complaint


def test_the_published_matchers_can_be_asked_for(world: Path, tmp_path: Path) -> None:
    (tmp_path / "split.txt").write_text(". 0 l\n")
    words = ("hints", world, "--split", tmp_path / "split.txt", "--width=192", "--height=96")
    blocks_and_ranges = [f"{block}x{n}" for block in (1, 2, 3) for n in (64, 96, 128, 160)]
    for more, matchers in (
        (("--mode", "published", "--matchers", "published"), blocks_and_ranges),
        (("--mode", "valid", "--matchers", "published"), blocks_and_ranges),
        (("--mode", "single", "--setting", 2, 96), ["2x96"]),
    ):
        folder = tmp_path / f"{more[1]} {more[-1]}"
        assert leadline(*words, "--out", folder, "--workers=1", *more).code == 0
        method = json.loads((folder / "summary.json").read_text())["method"]
        assert method["hints"] == more[1]
        assert method["matchers"].split() == ["StereoSGBM", *matchers]


def test_hints_of_swapped_sides_are_doubted(world: Path, tmp_path: Path) -> None:
    swapped = write_stereo_folder(tmp_path / "swapped", count=1)
    for old, new in (("left", "middle"), ("right", "left"), ("middle", "right")):
        (swapped / old).rename(swapped / new)
    words = ("--out", tmp_path / "hints", "--width=192", "--height=128", "--workers=1")
    assert "left and right swapped" in leadline("hints", swapped, *words).complaint


def test_hints_beside_sequences_do_not_become_photographs(tmp_path: Path) -> None:
    for name in ("monday", "tuesday"):
        write_stereo_folder(tmp_path / "rig" / name, count=1)
    for folder in (hints_of(tmp_path / "rig" / name) for name in ("monday", "tuesday")):
        for path in sorted(folder.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        folder.rmdir()
    words = ("hints", tmp_path / "rig", "--width=192", "--height=96", "--workers=1")
    assert "4 hints written" in leadline(*words).out
    assert "4 were there" in leadline(*words).out


def test_training_says_what_it_does_in_short_lines(trained: tuple[Path, str]) -> None:
    run, said = trained
    assert "1 x reprojection = Reprojection(" in said
    assert "training: 12 of 12 frames can be used" in said
    line = r"epoch 1/1, step 6: loss \d\.\d+, val loss \d\.\d+, \d+\.\d images/s, loader \d+%"
    assert len(re.findall(line, said)) == 1
    assert said.endswith(f"model: {run / 'model'}\n")
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", said)


def test_a_finished_run_stays_and_a_longer_one_goes_on(
    trained: tuple[Path, str], world: Path, settings: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    linked_copy(trained[0] / "model", run / "model")
    for name in ("config.yaml", CURVES, "resume.ckpt"):
        (run / name).write_bytes((trained[0] / name).read_bytes())
    words = ("train", "demo", world, "--hints", hints_of(world), "--out", run, *settings)
    before = (run / "resume.ckpt").read_bytes()
    answer = leadline(*words)
    assert "going on from step 6" in answer.out
    assert "nothing left to train" in answer.out
    assert (run / "resume.ckpt").read_bytes() == before
    assert "epoch 2/2, step 12" in leadline(*words, "--run.epochs=2").out
    assert max(step for step, _, _ in read_curves(run / CURVES)) == 11


def test_the_model_predicts_photographs(
    trained: tuple[Path, str], world: Path, tmp_path: Path
) -> None:
    words = ("predict", trained[0] / "model", world / "left", "--out", tmp_path / "out")
    answer = leadline(*words, "--batch-size=3", "--range", 2, 60)
    assert answer.code == 0
    assert "8 predicted, 0 kept, 0 failed\nmetric: metres\n" in answer.out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        *("colour", "millimetres", "predictions.json")
    ]
    assert "0 predicted, 8 kept" in leadline(*words).out


def test_a_damaged_photograph_costs_exit_code_1(
    trained: tuple[Path, str], world: Path, tmp_path: Path
) -> None:
    photographs = linked_copy(world / "left", tmp_path / "photographs")
    (photographs / "000003.png").unlink()
    (photographs / "000003.png").write_bytes(b"\x89PNG and no more")
    answer = leadline("predict", trained[0] / "model", photographs, "--out", tmp_path / "out")
    assert answer.code == 1
    assert "7 predicted, 0 kept, 1 failed" in answer.out
    assert answer.complaint.startswith(f"{photographs / '000003.png'}: expected a whole image")


def test_predictions_of_anyone_are_scored(
    trained: tuple[Path, str], world: Path, tmp_path: Path
) -> None:
    leadline(
        *("predict", trained[0] / "model", world / "left", "--out", tmp_path / "out"),
        *("--outputs", "npy", "millimetres"),
    )
    for path in sorted((world / "left").iterdir()):
        write_depth(tmp_path / "truth" / f"{path.stem}.npz", np.full((32, 64), DEPTH, np.float32))
    means = []
    for kind, more in (("npy", []), ("millimetres", ["--divide", 1000]), ("", [])):
        answer = leadline(
            *("evaluate", "--predictions", tmp_path / "out" / kind, "--truth", tmp_path / "truth"),
            *("--out", tmp_path / f"scores {kind}", "--protocol", "none", "--scale", "median"),
            *more,
        )
        assert answer.code == 0, answer.err
        assert (tmp_path / f"scores {kind}" / "report.html").is_file()
        results = json.loads((tmp_path / f"scores {kind}" / "results.json").read_text())
        assert (results["metric"], results["model"].split()[0]) == (True, "demo")
        assert len(results["rows"]) == 8
        means.append(results["mean"]["abs_rel"])
    assert means[0] == pytest.approx(means[1], abs=1e-3)
    assert means[2] == means[0]


def test_training_starts_from_given_weights(
    trained: tuple[Path, str], world: Path, settings: list[str], tmp_path: Path
) -> None:
    words = ("train", "demo", world, "--hints", hints_of(world), *settings, "--run.steps=1")
    model = trained[0] / "model"
    # With a learning rate of nothing, what comes out is what went in.
    still = ("--out", tmp_path / "still", "--model.optimiser.init_args.lr=0")
    assert leadline(*words, *still, "--init-from", model).code == 0
    found, given = (load_file(folder / WEIGHTS) for folder in (tmp_path / "still/model", model))
    trained_parts = [name for name in given if "running" not in name and "num_b" not in name]
    assert all(torch.equal(found[name], given[name]) for name in trained_parts)
    assert leadline(*words, "--out", tmp_path / "fresh").code == 0
    assert first_loss(tmp_path / "still") != first_loss(tmp_path / "fresh")


def test_a_failed_first_attempt_does_not_fix_the_settings(
    world: Path, settings: list[str], tmp_path: Path
) -> None:
    words = ("train", "demo", world, "--hints", hints_of(world), "--out", tmp_path / "run")
    assert "lower batch_size" in leadline(*words, *settings, "--data.batch_size=99").complaint
    assert leadline(*words, *settings, "--run.steps=1").code == 0


def test_a_folder_may_bear_the_name_of_a_recipe(
    world: Path, settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "demo").mkdir()
    monkeypatch.chdir(tmp_path)
    words = ("--hints", hints_of(world), "--out", "run", *settings, "--data.batch_size=99")
    assert "lower batch_size" in leadline("train", "demo", world, *words).complaint


def test_an_override_may_stand_anywhere_and_be_spelt_with_a_space(
    world: Path, settings: list[str], tmp_path: Path
) -> None:
    words = ("--data.batch_size", 99, "demo", world, "--hints", hints_of(world))
    answer = leadline("train", *settings, *words, "--out", tmp_path / "run")
    assert "batch_size x devices = 99 frames" in answer.complaint


def test_weights_reaches_every_backbone(world: Path, tmp_path: Path) -> None:
    words = ("train", "monodepth2_m", world, "--out", tmp_path / "run", "--data.batch_size=99")
    assert "lower batch_size" in leadline(*words, "--weights", "none").complaint
    config = (tmp_path / "run" / "config.yaml").read_text()
    assert config.count("weights: none") == 2
    assert "expected hub, none or a folder" in leadline(*words, "--weights", tmp_path).complaint


def test_two_frames_are_learned_by_heart(world: Path, settings: list[str], tmp_path: Path) -> None:
    answer = leadline(
        *("train", "depth_hints_s_hard", world, "--hints", hints_of(world)),
        *("--out", tmp_path / "run", *settings, "--weights", "none"),
        *("--overfit", 2, "--run.epochs=60", "--model.optimiser.init_args.lr=3e-4"),
    )
    assert answer.code == 0, answer.err
    found = re.search(r"loss: (\S+) at step 0, (\S+) at step 59", answer.out)
    assert found is not None
    before, after = map(float, found.groups())
    assert after < before / 3
    # One step an epoch: a line with each would be no progress to look at.
    assert len([line for line in answer.out.splitlines() if line.startswith("epoch")]) < 20


def test_ctrl_c_keeps_the_work_and_says_so_in_one_line(
    world: Path, settings: list[str], tmp_path: Path
) -> None:
    run = tmp_path / "run"
    words = ["train", "demo", str(world), "--hints", str(hints_of(world)), "--out", str(run)]
    longer = ("--run.epochs=2000", "--data.workers=1")
    process = subprocess.Popen(
        [sys.executable, "-m", "leadline", *words, *settings, *longer],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + TIMEOUT
        while not read_curves(run / CURVES):
            assert process.poll() is None, "the run ended before it could be interrupted"
            assert time.monotonic() < deadline, "the run took too long"
            time.sleep(0.05)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=TIMEOUT)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode == 130
    assert err.splitlines() == [
        "stopping after this step; Ctrl-C again stops at once",
        "leadline: interrupted; the same command goes on from here",
    ]
    assert (run / "model" / WEIGHTS).is_file()
    done = torch.load(run / "resume.ckpt", weights_only=True)["global_step"]
    assert done > 0
    answer = leadline(*words, *settings, "--run.epochs=2000", f"--run.steps={done + 1}")
    assert f"going on from step {done}" in answer.out
    assert max(step for step, _, _ in read_curves(run / CURVES)) == done


def test_an_interrupted_prediction_is_130_and_leaves_no_half_file(
    trained: tuple[Path, str], world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(path: Path, data: bytes) -> None:
        with path.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "write_bytes", interrupted)
    out = tmp_path / "out"
    answer = leadline("predict", trained[0] / "model", world / "left", "--out", out)
    assert answer.code == 130
    assert answer.err == "leadline: interrupted; the same command goes on from here\n"
    assert not [name for name in files_below(out) if ".part" in name]
