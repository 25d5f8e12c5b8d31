"""Refinement on the command line: written, gone on with, scored, and refused in one line."""

import shutil
from pathlib import Path

from commands import leadline
from small_models import PAIRS_WITH_HINTS, files_below, write_model, write_tiny_backbone
from worlds import hints_of

from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings


def test_commands_write_the_same_and_go_on(small: Path, world: Path, tmp_path: Path) -> None:
    out = tmp_path / "refined"
    words = ("refine", small, world, "--iterations", 3, "--outputs", "npy", "--out", out)
    first = leadline(*words, "--learning-rate", "3e-3")
    assert first.code == 0, first.err
    assert "6 predicted, 0 kept, 0 failed" in first.out
    assert "s a frame" in first.out
    assert "metric: metres" in first.out
    rows = (out / "refinement.csv").read_text().splitlines()
    assert rows[0] == "frame,before,after"
    assert len(rows) == 7
    files = files_below(out)
    gone = out / "npy" / "left" / "000001.npy"
    gone.unlink()
    again = leadline(*words, "--learning-rate", "3e-3")
    assert "1 predicted, 5 kept" in again.out
    assert files_below(out)["npy/left/000001.npy"] == files["npy/left/000001.npy"]
    assert len((out / "refinement.csv").read_text().splitlines()) == 7
    other = leadline(*words, "--learning-rate", "3e-3", "--prior", 0)
    assert "prior 0.05 instead of" in other.complaint
    assert "prior 0;" in other.complaint
    other = leadline(*words, "--learning-rate", "1e-3")
    assert other.code == 2
    assert (
        "manner refined by 3 iterations per sample at 0.003 with prior 0.05 instead of"
        in other.complaint
    )


def test_predict_refines_a_folder(small: Path, world: Path, tmp_path: Path) -> None:
    words = ("predict", small, world, "--outputs", "npy", "--refine", 2, "--out", tmp_path / "a")
    answer = leadline(*words)
    assert answer.code == 0, answer.err
    assert sorted(files_below(tmp_path / "a"))[0] == "npy/left/000000.npy"
    photograph = world / "left" / "000000.png"
    single = leadline("predict", small, photograph, "--refine", 2, "--out", tmp_path / "b")
    assert "--refine: expected one folder" in single.complaint


def test_a_model_that_does_not_say_how_it_was_trained(world: Path, tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", training={})
    answer = leadline("refine", model, world, "--out", tmp_path / "out")
    assert answer.code == 2
    assert "expected the objective that the model was trained under" in answer.complaint
    assert not (tmp_path / "out").exists()


def test_an_evaluation_of_what_was_refined(tmp_path: Path) -> None:
    world = tmp_path / "world"
    generate(world, WorldSettings(drives=2, frames=2, size=(96, 64), seed=3, velodyne=False))
    model = write_model(tmp_path / "model", str(write_tiny_backbone(tmp_path / "tiny")))
    words = ("evaluate", model, world, "--protocol", "dense")
    words += ("--split", world / "splits" / "test.txt")
    plain = leadline(*words, "--out", tmp_path / "plain")
    refined = leadline(*words, "--refine", 2, "--out", tmp_path / "refined")
    assert plain.code == refined.code == 0, refined.err
    assert "s a frame" in refined.out
    assert (
        "refined by 2 iterations per sample" in (tmp_path / "refined" / "report.html").read_text()
    )
    free = leadline(*words, "--refine", 2, "--refine-prior", 0, "--out", tmp_path / "free")
    assert free.code == 0
    assert "prior 0" in (tmp_path / "free" / "report.html").read_text()
    paths = leadline(*words, "--refine", 2, "--poses", "--out", tmp_path / "paths")
    assert "--poses: expected no --refine beside it" in paths.complaint
    mixed = leadline(*words, "--refine", 2, "--out", tmp_path / "plain")
    assert "give another folder for --out" in mixed.complaint
    alone = leadline(*words, "--hints", world, "--out", tmp_path / "hints")
    assert "--hints: expected --refine N beside it" in alone.complaint
    sequence = ("--refine", 1, "--refine-per", "sequence", "--out", tmp_path / "sequence")
    assert leadline(*words, *sequence).code == 0


def test_one_hint_too_few_costs_a_term_of_one_frame(world: Path, tmp_path: Path) -> None:
    backbone = str(write_tiny_backbone(tmp_path / "tiny"))
    model = write_model(tmp_path / "model", backbone, training=PAIRS_WITH_HINTS)
    hints = tmp_path / "hints"
    shutil.copytree(hints_of(world), hints)
    next(hints.rglob("*.png")).unlink()
    words = ("refine", model, world, "--iterations", 1, "--outputs", "npy")
    answer = leadline(*words, "--hints", hints, "--out", tmp_path / "out")
    assert answer.code == 0, answer.err
    assert "6 predicted, 0 kept, 0 failed" in answer.out
    other = leadline(*words, "--out", tmp_path / "out")
    assert "give another folder for --out" in other.complaint
    missing = leadline(*words, "--hints", tmp_path / "nowhere", "--out", tmp_path / "none")
    assert "nowhere: expected a folder of hints" in missing.complaint
