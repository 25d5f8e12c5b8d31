"""A run on rolled windows in other colours: it learns, and its model is one of whole pictures."""

from pathlib import Path

import pytest
from commands import leadline
from small_models import write_tiny_backbone
from worlds import hints_of, write_stereo_folder

from leadline.inference.model_folder import read_config
from leadline.inference.predictor import DepthPredictor
from leadline.training.curves import read_curves
from leadline.training.recipe import build, read_recipe
from leadline.training.run_folder import CURVES

VARIED = [
    *("--data.rotation=10", "--data.window=[32,64]", "--data.zoom=1.25", "--data.jitter=gamma"),
    "--data.gamma_jitter.brightness=[0.75,1.25]",
]
NO_WEIGHTS = "--model.predictor.init_args.depth.init_args.weights=none"
TOO_TALL = ["--data.window=[193,64]"]


def test_a_run_on_windows_makes_a_model_of_whole_pictures(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=10)
    run = tmp_path / "run"
    done = leadline(
        *("train", "depth_hints_s", str(world), "--hints", str(hints_of(world))),
        *("--out", str(run), "--weights=none", "--data.height=48", "--data.width=96"),
        *("--data.batch_size=2", "--data.workers=0", "--data.val_share=0.2", "--run.epochs=2"),
        *("--run.log_every=1", "--run.loggers=[]", "--run.pictures_every=4"),
        f"--model.predictor.init_args.depth.init_args.backbone={write_tiny_backbone(tmp_path)}",
        *VARIED,
    )
    assert done.code == 0, done.err
    losses = [value for _, name, value in read_curves(run / CURVES) if name == "train/loss"]
    assert losses
    assert all(0 < loss < 10 for loss in losses)
    assert list((run / "pictures").glob("*.png"))
    assert read_config(run / "model").size == (48, 96)
    depth = DepthPredictor.load(run / "model")(world / "left/000000.png")
    assert depth.shape == (64, 96)


def test_motion_is_not_predicted_from_windows(tmp_path: Path) -> None:
    """Of a video; a pair, whose pose is known, may be cut."""
    world = write_stereo_folder(tmp_path / "world", count=4, size=(32, 64))
    source = {
        "class_path": "leadline.data.sources.folder.ImageFolder",
        "init_args": {"root": str(world)},
    }
    done = leadline(
        *("train", "monodepth2_m", str(world), "--out", str(tmp_path / "run"), "--weights=none"),
        *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
        "--data.window=[16,32]",
    )
    assert done.code == 2
    assert "window: expected none with a pose network" in done.err
    assert done.err.count("\n") == 1
    with pytest.raises(ValueError, match=r"window: expected \[height, width\] from \[1, 1\] to"):
        build(read_recipe("monodepth2_s", {"data": {"source": source}}, [NO_WEIGHTS, *TOO_TALL]))
