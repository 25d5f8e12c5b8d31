"""From speed to a metric model: objective, data, curves, model folder, evaluation."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from small_models import write_tiny_backbone
from worlds import write_stereo_folder

from leadline.data.sources.detect import source_config
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.run import evaluate_model
from leadline.inference.model_folder import read_config
from leadline.inference.train_model import train_model
from leadline.recipes import recipe_text
from leadline.training.curves import read_curves
from leadline.training.recipe import read_recipe
from leadline.training.run_folder import CURVES


def train(world: Path, folder: Path, velocity: bool = True, **data: Any) -> Path:
    """One epoch of video at 64x32; returns the model folder."""
    recipe = yaml.safe_load(recipe_text("monodepth2_m_scratch"))
    if velocity:
        term = {"class_path": "leadline.losses.velocity.Velocity"}
        recipe["model"]["objective"]["velocity"] = {"term": term, "weight": 0.05}
    folder.mkdir()
    (folder / "mine.yaml").write_text(yaml.safe_dump(recipe))
    backbone = write_tiny_backbone(folder / "tiny")
    networks = "--model.predictor.init_args"
    changes = [
        *("--data.height=32", "--data.width=64", "--data.batch_size=2", "--data.workers=0"),
        f"{networks}.depth.init_args.backbone={backbone}",
        f"{networks}.pose=leadline.networks.pose.PoseCNN",
        *("--run.epochs=1", "--run.log_every=1", "--run.loggers=[]"),
    ]
    given = {"data": {"source": source_config(world), **data}}
    return train_model(
        read_recipe(str(folder / "mine.yaml"), given, changes), "mine", folder / "run"
    )


@pytest.mark.slow
def test_one_entry_makes_the_model_metric(tmp_path: Path) -> None:
    world = tmp_path / "world"
    generate(world, WorldSettings(drives=3, frames=4, size=(64, 32), seed=3, velodyne=False))
    split = {f"{name}_split": str(world / "splits" / f"{name}.txt") for name in ("train", "val")}
    for velocity in (True, False):
        folder = tmp_path / f"velocity_{velocity}"
        model = train(world, folder, velocity, **split)
        logged = {name for _, name, _ in read_curves(folder / "run" / CURVES)}
        assert ({"train/velocity", "val/scale", "val/scale_spread"} <= logged) == velocity
        assert "val/abs_rel" in logged
        assert read_config(model).metric == velocity
        evaluation = evaluate_model(model, world, folder / "evaluation", protocol="dense")
        assert evaluation.alignment.kind == ("none" if velocity else "median")


def test_without_a_known_way_it_is_refused_at_once(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=4, size=(32, 64))
    with pytest.raises(ValueError, match=r"objective\.velocity needs distance: .* add speeds"):
        train(world, tmp_path / "none")
    (world / "speed.csv").write_text("0,0\n9,0\n")
    with (world / "camera.yaml").open("a") as file:
        file.write("fps: 10\nspeed: speed.csv\n")
    with pytest.raises(ValueError, match="the camera stands still by what they know"):
        train(world, tmp_path / "still")
