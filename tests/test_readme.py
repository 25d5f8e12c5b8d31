"""What README shows, runs: every `leadline` command in turn, at sizes that take seconds."""

import glob
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from commands import leadline
from data.tiny_trees import write_kitti, write_sweep
from small_models import write_model, write_photographs, write_tiny_backbone
from worlds import write_stereo_folder

README = (Path(__file__).resolve().parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", README, flags=re.M | re.S)
SMALLER = {
    "hints": ("--width=192", "--height=96", "--workers=1"),
    "train": (
        *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
        *("--run.epochs=2", "--run.loggers=[]", "--run.log_every=1"),
        "--model.predictor.init_args.depth.init_args.backbone=../tiny",
    ),
    "evaluate": ("--protocol=none",),
    "predict": ("--outputs=npy",),
}
"""Added to a command of README, by its verb; what it leaves open is set to be small."""


def block(language: str) -> str:
    return next(text for kind, text in BLOCKS if kind == language)


def commands() -> list[list[str]]:
    """The words of each command line, patterns of files as a shell would leave them to us."""
    lines = (line for kind, text in BLOCKS if not kind for line in text.splitlines())
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("leadline ")]


def words_of(command: list[str]) -> list[str]:
    files = [sorted(glob.glob(word)) if "*" in word else [word] for word in command]
    words = [word for found in files for word in found]
    more = list(SMALLER[words[0]])
    if words[0] == "train" and "--weights" not in words:
        # The recipes start from pretrained weights, which would have to be fetched.
        more += ["--weights", "none"]
    return words + more


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folders that README speaks of, with README's own camera file; the place to work in."""
    root = tmp_path / "desk"
    camera = block("yaml")
    width, height = (
        int(re.search(rf"{side}: (\d+)", camera)[1])  # type: ignore[index]
        for side in ("width", "height")
    )
    rig = write_stereo_folder(root / "photographs", count=4, size=(height, width))
    (rig / "camera.yaml").write_text(camera)
    drive = next(write_kitti(root / "data" / "with" / "lidar").glob("*/*_sync"))
    generator = np.random.default_rng(0)
    for index in range(2):
        sweep = generator.uniform((5, -10, -1.5), (40, 10, 1), (500, 3))
        write_sweep(drive, index, sweep.astype(np.float32))
    write_photographs(root, ["holiday/beach.jpg", "holiday/dune.jpg", "photograph.png"])
    write_tiny_backbone(tmp_path / "tiny")
    monkeypatch.chdir(root)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield root
    torch.set_num_threads(threads)


def test_the_commands_of_readme_run_one_after_another(desk: Path) -> None:
    shown = commands()
    assert {command[0] for command in shown} == {"hints", "train", "evaluate", "predict"}
    for command in shown:
        answer = leadline(*words_of(command))
        assert answer.code == 0, f"leadline {' '.join(command)}: {answer.err}"
    for result in (
        *("photographs/hints/summary.json", "runs/mine/model/model.safetensors"),
        *("runs/mine/evaluation/report.html", "depth/npy/beach.npy", "depth/npy/dune.npy"),
    ):
        assert (desk / result).is_file(), result


def test_the_program_of_readme_runs(desk: Path) -> None:
    write_model(desk / "demo" / "run" / "model", "../tiny")
    found: dict[str, np.ndarray] = {}
    exec(block("python"), found)  # README's own
    assert found["depth"].shape == (50, 70)
    assert found["depth"].dtype == np.float32
    assert (found["depth"] > 0).all()
