"""Every mistake costs one clear line, and nothing that was there before."""

import os
import re
import shutil
from pathlib import Path

import cv2
import huggingface_hub
import numpy as np
import pytest
from commands import Answer, leadline
from small_models import files_below
from worlds import hints_of
from wrong_inputs import CASES, Desk, WrongInput, small_disk

LONGEST = 400
"""Characters of a message, without the paths of the test."""
MAY_CHANGE = ("config.yaml", "curves.csv")
"""Of a run that is given more epochs."""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    return Desk.shared(tmp_path_factory.mktemp("desk"))


@pytest.fixture
def desk(shared: Desk, tmp_path: Path) -> Desk:
    return shared.own(tmp_path / "desk")


def is_one_line(answer: Answer, root: Path) -> bool:
    return (
        answer.err.count("\n") == 1 and 20 < len(answer.complaint.replace(str(root), "")) < LONGEST
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_a_mistake_costs_one_clear_line(
    case: WrongInput, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    first = case.before(desk)
    if first is not None:
        assert leadline(*first).code == 0
    words = case.words(desk)
    before = files_below(desk.root)
    answer = leadline(*words)
    after = files_below(desk.root)
    assert answer.code == case.code
    assert is_one_line(answer, desk.root), answer.err
    for text in case.says:
        assert text in answer.complaint
    assert {name: data for name, data in after.items() if name in before} == before
    assert not [name for name in after if ".part" in name]


def test_a_few_bad_files_are_counted_and_the_rest_is_trained_on(desk: Desk) -> None:
    rig = desk.rig(count=12)
    (rig / "right" / "000001.png").unlink()
    cv2.imwrite(str(rig / "left" / "000003.png"), np.zeros((50, 70, 3), np.uint8))
    for path in (rig / "left" / "000005.png", hints_of(rig) / "right" / "000007.png"):
        path.write_bytes(path.read_bytes()[:60])
    hidden = rig / "left" / "000009.png"
    data = bytearray(hidden.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 100] = bytes(100)
    hidden.write_bytes(data)
    answer = leadline(*desk.train(rig=rig))
    assert answer.code == 0
    for line in (
        "1 of 23 images without a partner in the other camera, first: ",
        "training: 13 of 19 frames can be used",
        "1 skipped, no frame at stereo (.); first: . 1 l",
        "2 skipped, image size differs from the calibration's (.); first: . 3 l: 70x50 instead",
        "2 skipped, unreadable image (.); first: . 5 l: ",
        "1 skipped, unreadable hint (.); first: . 7 r: ",
    ):
        assert line in answer.out
    # What only decoding can tell is told when it is met.
    assert re.search(r"leadline: left out \. 9 [lr]: .*left/000009\.png: expected", answer.err)


@pytest.mark.parametrize(("verb", "kilobytes"), [("train", 200), ("train", 6000), ("hints", 200)])
def test_a_full_disk_costs_a_line_and_no_half_file(
    desk: Desk, verb: str, kilobytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 kB hold no weights and no large hint; 6 MB the model, but no resume point beside it."""
    monkeypatch.setattr("leadline.files.PAUSES", (0.0,))
    rig, disk = desk.rig(), desk.root / "disk"
    large = ("--width=1536", "--height=768", "--workers=1")
    words = {
        "train": desk.train(out=disk / "run", rig=rig),
        "hints": ("hints", rig, "--out", disk / "hints", *large),
    }
    with small_disk(disk, kilobytes) as mounted:
        if not mounted:
            pytest.skip("this user may not mount a small file system")
        answer = leadline(*words[verb])
        assert answer.code == 2, answer.out
        assert "the disk is full; free some space" in answer.complaint
        assert str(disk) in answer.complaint
        assert not [name for name in files_below(disk) if ".part" in name]


def test_predictions_go_on_when_the_full_disk_has_space_again(desk: Desk) -> None:
    words, disk = desk.predict(), desk.root / "disk"
    with small_disk(disk, 300) as mounted:
        if not mounted:
            pytest.skip("this user may not mount a small file system")
        (disk / "others").write_bytes(bytes(280_000))
        answer = leadline(*words, "--out", disk / "depth", "--outputs", "npy", "colour")
        assert answer.code == 2
        assert "the disk is full" in answer.complaint
        (disk / "others").unlink()
        answer = leadline(*words, "--out", disk / "depth", "--outputs", "npy", "colour")
        assert answer.code == 0
        assert re.match(r"[1-4] predicted, [0-3] kept, 0 failed", answer.out)
        assert len(files_below(disk / "depth" / "npy")) == 4


def test_what_was_trained_before_the_disk_was_full_is_kept(desk: Desk) -> None:
    rig = desk.rig()
    assert leadline(*desk.train(rig=rig)).code == 0
    before = files_below(desk.root / "run")
    kilobytes = 60_000
    with small_disk(desk.root / "disk", kilobytes) as mounted:
        if not mounted:
            pytest.skip("this user may not mount a small file system")
        run, others = desk.root / "disk" / "run", desk.root / "disk" / "others"
        shutil.copytree(desk.root / "run", run)
        others.write_bytes(bytes((kilobytes << 10) - sum(map(len, before.values())) - (1 << 20)))
        longer = desk.train("--run.epochs=2", rig=rig, out=run)
        assert "the disk is full" in leadline(*longer).complaint
        kept = files_below(run)
        assert all(kept[name] == before[name] for name in before if not name.endswith(MAY_CHANGE))
        others.unlink()
        assert leadline(*longer).code == 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write(desk: Desk) -> None:
    (desk.root / "closed").mkdir(mode=0o500)
    answer = leadline(*desk.train(out=desk.root / "closed" / "run"))
    assert "Permission denied; check the path and its rights" in answer.complaint


def test_the_traceback_is_there_for_whoever_asks(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEADLINE_TRACEBACK", "1")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        leadline("train", "demo", desk.root / "nowhere", "--out", desk.root / "run")


def test_memory_that_ran_out_says_what_to_lower(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_much(*_: object, **__: object) -> None:
        raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")

    monkeypatch.setattr("leadline.training.module.DepthTraining.training_step", too_much)
    answer = leadline(*desk.train())
    assert answer.code == 2
    assert answer.complaint.endswith("use smaller batches or images, or fewer workers")


def test_hints_given_among_the_data_are_found(desk: Desk) -> None:
    """Where `leadline hints DATA` puts them."""
    rig = desk.rig()
    hints_of(rig).rename(rig / "hints")
    assert leadline(*desk.train(rig=rig, hints=rig / "hints")).code == 0
