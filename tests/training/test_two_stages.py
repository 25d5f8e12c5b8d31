"""Eigen's network as its user trains it: one stage, then the other from its weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from commands import leadline
from safetensors.torch import load_file

from leadline.data.image_files import write_picture
from leadline.data.sources.list_files import write_list

SIZE = ("--data.height=64", "--data.width=96", "--data.zoom=1", "--data.rotation=0")
SHORT = ("--data.batch_size=2", "--data.workers=0", "--run.loggers=[]", "--run.steps=2")
NETWORK = "--model.predictor.init_args.depth.init_args.size=[64,96]"
FIRST = ("depth.coarse.", "depth.whole.", "depth.coarse_map.")


@pytest.fixture(scope="module")
def rooms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A list of pictures with their depth."""
    folder, random = tmp_path_factory.mktemp("rooms"), np.random.default_rng(0)
    names = [f"{number:02d}" for number in range(10)]
    for name in names:
        write_picture(folder / f"{name}.png", random.integers(0, 255, (64, 96, 3), dtype=np.uint8))
        np.save(folder / f"{name}.npy", random.uniform(1, 9, (64, 96)).astype(np.float32))
    write_list(folder / "all.txt", [(f"{name}.png", f"{name}.npy", None) for name in names])
    return folder / "all.txt"


@pytest.mark.slow
def test_the_second_stage_goes_on_from_the_first(rooms: Path, tmp_path: Path) -> None:
    words = (*SIZE, *SHORT, NETWORK)
    for name, start in (("coarse", ()), ("fine", ("--init-from", tmp_path / "coarse/model"))):
        recipe = "eigen_nyu" + ("_coarse" if name == "coarse" else "")
        answer = leadline("train", recipe, rooms, "--out", tmp_path / name, *start, *words)
        assert answer.code == 0, answer.err
        # Steps end this run, not the hundred thousand epochs that the recipe says.
        assert "epoch 1, step 2/2: loss" in answer.out
    coarse, fine = (
        load_file(tmp_path / name / "model/model.safetensors") for name in ("coarse", "fine")
    )
    assert coarse.keys() == fine.keys()
    same = {name for name in coarse if torch.equal(coarse[name], fine[name])}
    assert same == {name for name in coarse if name.startswith(FIRST)}
    out = tmp_path / "evaluation"
    answer = leadline("evaluate", tmp_path / "fine/model", rooms, "--out", out, "--protocol=nyu")
    assert answer.code == 0, answer.err
    assert "yes: predictions in metres" in answer.out
    words = ("evaluate", tmp_path / "fine/model", rooms, "--out", tmp_path / "other")
    answer = leadline(*words, "--protocol=make3d")
    assert "protocol make3d: expected truth of 305x21, got 96x64" in answer.err
    # Said before anything is predicted.
    assert not (tmp_path / "other").exists()


def test_what_rests_must_have_been_trained(rooms: Path, tmp_path: Path) -> None:
    """A second stage without the first; a stem that is kept, of random weights."""
    fine = leadline("train", "eigen_nyu", rooms, "--out", tmp_path / "a", *SIZE, *SHORT, NETWORK)
    assert (fine.code, "give --init-from RUN/model" in fine.err) == (2, True)
    words = ("--data.height=64", "--data.width=96", *SHORT, "--weights=none")
    network = "--model.predictor.init_args.depth.init_args.backbone=resnet18"
    stem = leadline("train", "dorn_nyu", rooms, "--out", tmp_path / "b", *words, network)
    assert stem.code == 2
    assert "keeps parts as they are, which random weights (weights: none)" in stem.err
    assert (
        leadline(
            *("train", "dorn_nyu", rooms, "--out", tmp_path / "b", *words, network),
            "--model.groups=[]",
        ).code
        == 0
    )


def test_a_network_made_for_another_size_is_named(rooms: Path, tmp_path: Path) -> None:
    answer = leadline("train", "eigen_nyu_coarse", rooms, "--out", tmp_path, *SIZE, *SHORT)
    assert answer.code == 2
    assert "expected images of the size [228, 304] that depth.size says, got [64, 96]" in answer.err
