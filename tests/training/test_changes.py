"""What a run's configuration may lack or have otherwise, and still be that of the same run."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import Answer, leadline
from small_models import write_tiny_backbone
from training_command import train_command
from worlds import hints_of, write_stereo_folder

from leadline.data.module import DepthData
from leadline.data.sources.folder import ImageFolder
from leadline.training.changes import changes
from leadline.training.curves import read_curves
from leadline.training.recipe import as_yaml, read_recipe
from leadline.training.resume import Done, frames_of
from leadline.training.run_folder import CURVES, RESUME_POINT, begin_run

SOURCE = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "photos"}}
RULE = "{match: depth, lr_factor: 0.5}"


def configuration(*overrides: str, source: dict[str, Any] = SOURCE) -> str:
    return as_yaml(read_recipe("depth_hints_s", {"data": {"source": source}}, overrides))


def without(config: str, *path: str | int) -> str:
    """As a version wrote it that did not know this key."""
    values = yaml.safe_load(config)
    inner = values
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return yaml.safe_dump(values)


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        (("data", "zoom"), "--data.zoom=1.5"),
        (("run", "accumulate"), "--run.accumulate=2"),
        (
            ("model", "predictor", "init_args", "depth", "init_args", "uncertainty"),
            "--model.predictor.init_args.depth.init_args.uncertainty=true",
        ),
        (
            ("model", "objective", "hint", "term", "init_args", "residual"),
            "--model.objective.hint.term.init_args.residual=l1",
        ),
        (("model", "objective", "hint", "weight"), "--model.objective.hint.weight=2"),
        (
            ("model", "groups", 0, "weight_decay"),
            "--model.groups=[{match: depth, lr_factor: 0.5, weight_decay: 0.1}]",
        ),
        (("model", "optimiser", "init_args", "eps"), "--model.optimiser.init_args.eps=1.0e-4"),
    ],
)
def test_a_setting_that_is_newer_than_the_run_had_its_default(
    path: tuple[str | int, ...], changed: str
) -> None:
    begun = configuration(f"--model.groups=[{RULE}]")
    old = without(begun, *path)
    assert changes(old, begun) == []
    (different,) = changes(old, configuration(f"--model.groups=[{RULE}]", changed))
    assert not different.is_allowed


def test_a_whole_configuration_of_the_first_days_is_filled() -> None:
    begun = configuration()
    old = without(without(without(begun, "data", "zoom"), "run", "nodes"), "model", "groups")
    assert changes(old, begun) == []


def test_what_was_there_from_the_beginning_has_no_default() -> None:
    """A term more, a term less, another class: all of it is another run."""
    begun = configuration()
    fewer = without(begun, "model", "objective", "hint")
    for pair in ((fewer, begun), (begun, fewer)):
        forbidden = {change.name for change in changes(*pair) if not change.is_allowed}
        assert "model.objective.hint.term.class_path" in forbidden
    other = {
        "class_path": "leadline.data.sources.kitti.KittiRaw",
        "init_args": {"root": "photos", "truth": "exact"},
    }
    first, *_ = changes(begun, configuration(source=other))
    assert str(first).startswith("data.source.class_path was leadline.data.sources.folder.ImageF")
    assert not first.is_allowed


def test_a_switch_that_is_gone_was_off() -> None:
    begun = configuration()
    old = yaml.safe_load(begun)
    old["data"]["depth_by_guess"] = False
    assert changes(yaml.safe_dump(old), begun) == []
    old["data"]["depth_by_guess"] = True
    (change,) = changes(yaml.safe_dump(old), begun)
    assert str(change) == "data.depth_by_guess was True, now None"


def test_data_may_be_moved_but_neither_come_nor_go() -> None:
    here, there = ({**SOURCE, "init_args": {"root": place}} for place in ("photos", "/disk/photos"))
    lists = ("--data.train_split=lists/train.txt", "--data.hints=hints")
    moved = ("--data.train_split=/disk/train.txt", "--data.hints=/disk/hints")
    found = changes(configuration(*lists, source=here), configuration(*moved, source=there))
    assert {change.name for change in found if change.is_move and change.is_allowed} == {
        *("data.source.init_args.root", "data.train_split", "data.hints")
    }
    assert not [change for change in found if not change.is_move]
    for come in changes(configuration(source=here), configuration(*lists, source=here)):
        assert not come.is_allowed


def test_frames_are_the_same_wherever_they_stand(tmp_path: Path) -> None:
    root = write_stereo_folder(tmp_path / "world", count=5, size=(16, 32))
    lists = tmp_path / "train.txt", tmp_path / "val.txt"
    lists[0].write_text(". 0 l\n. 1 l\n. 2 l\n. 7 l\n")
    lists[1].write_text(". 3 l\n")

    def named(root: Path, train: Path | None = None, val: Path | None = None) -> str:
        return frames_of(DepthData(ImageFolder(root), train_split=train, val_split=val))

    begun, listed = named(root), named(root, *lists)
    assert begun != listed
    # Another spelling of a list, and a frame that is not there.
    lists[0].write_text("# three frames\n. 0\n. 1\n. 2\n")
    assert named(root, *lists) == listed
    assert named(root, lists[1], lists[0]) != listed
    moved = tmp_path / "moved"
    root.rename(moved)
    assert (named(moved), named(moved, *lists)) == (begun, listed)
    (moved / "left" / "000004.png").unlink()
    assert named(moved) != begun
    assert named(moved, *lists) == listed


def test_other_frames_at_another_place_are_another_run(tmp_path: Path) -> None:
    begin_run(tmp_path, configuration())
    (tmp_path / RESUME_POINT).touch()
    elsewhere = configuration(source={**SOURCE, "init_args": {"root": "/disk/photos"}})
    done = Done(7, 8, frames="these")
    told = "data.source.init_args.root was photos, now /disk/photos"
    with pytest.raises(ValueError, match=rf"holds a run on other frames \({told}\): give another"):
        begin_run(tmp_path, elsewhere, done, 8, "those")
    assert begin_run(tmp_path, configuration(), done, 8, "those") == [
        "frames were added or lost since"
    ]
    assert begin_run(tmp_path, elsewhere, done, 8, "these") == [told]
    # A resume point that does not say which they were lets the user say so.
    assert begin_run(tmp_path, configuration(), Done(7, 8), 8, "those")


Train = Callable[..., Answer]


@pytest.fixture
def train(tmp_path: Path) -> Train:
    backbone = write_tiny_backbone(tmp_path / "tiny")

    def command(world: Path, run: Path, steps: int) -> Answer:
        return leadline(
            *train_command(world, run)[3:],
            f"--model.predictor.init_args.depth.init_args.backbone={backbone}",
            *("--data.workers=0", "--run.checkpoint_every=1", f"--run.steps={steps}"),
        )

    return command


def test_a_run_goes_on_after_its_data_have_been_moved_and_spelt_otherwise(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = write_stereo_folder(tmp_path / "world", count=6, size=(32, 64))
    whole, run = tmp_path / "whole", tmp_path / "run"
    assert train(world, whole, 3).code == 0
    monkeypatch.chdir(tmp_path)
    assert train(Path("world"), Path("run"), 1).code == 0
    assert train(world, run, 2).out.count("data.source.init_args.root") == 0
    moved = tmp_path / "disk" / "moved"
    moved.parent.mkdir()
    for old, new in ((world, moved), (hints_of(world), hints_of(moved))):
        old.rename(new)
    monkeypatch.chdir(moved.parent)
    answer = train(Path("moved"), Path("../run"), 3)
    told = f"data.source.init_args.root was {world}, now {moved}; data.hints was "
    assert f"going on from step 2 of ../run; {told}" in answer.out
    rows = [[row for row in read_curves(r / CURVES) if "/" in row[1]] for r in (whole, run)]
    assert rows[0] == rows[1]
    models = [(r / "model" / "model.safetensors").read_bytes() for r in (whole, run)]
    assert models[0] == models[1]
    # Other photographs, though of the same kind.
    shutil.copytree(moved, tmp_path / "fewer", ignore=shutil.ignore_patterns("000003.png"))
    shutil.copytree(hints_of(moved), tmp_path / "fewer_hints")
    assert "holds a run on other frames" in train(tmp_path / "fewer", run, 4).complaint


def test_what_a_list_names_may_be_moved_too() -> None:
    def listed(place: str) -> str:
        arguments = {
            "root": f"{place}/train.txt",
            "folder": place,
            "depth_folder": f"{place}/depth",
        }
        path = "leadline.data.sources.listed.ListedFrames"
        return configuration(source={"class_path": path, "init_args": arguments})

    found = changes(listed("/here"), listed("/there"))
    assert all(change.is_move and change.is_allowed for change in found)
    assert len(found) == 3
