"""A model folder is enough to predict: no backbone is looked for under the name it was given."""

import json
import shutil
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pytest
import torch
from small_models import (
    SIZE,
    predictor_config,
    write_model,
    write_photographs,
    write_tiny_backbone,
)
from transformers import ResNetConfig

from leadline.inference.model_folder import (
    CONFIG,
    ModelConfig,
    build_predictor,
    load_predictor,
    load_weights,
    read_config,
    save_model,
)
from leadline.inference.predictor import DepthPredictor

DEPTH, POSE = "depth.backbone.json", "pose.backbone.json"


def config_with_pose(backbone: str, pose: str) -> dict[str, Any]:
    config: dict[str, Any] = predictor_config(backbone)
    config["init_args"]["pose"] = {
        "class_path": "leadline.networks.pose.SeparateResNetPose",
        "init_args": {"backbone": pose, "weights": "none"},
    }
    return config


def write_other_backbone(folder: Path) -> Path:
    ResNetConfig(
        embedding_size=4, hidden_sizes=[4, 4, 4, 4], depths=[1] * 4, layer_type="basic"
    ).save_pretrained(folder)
    return folder


def save(config: dict[str, Any], folder: Path) -> Path:
    torch.manual_seed(0)
    save_model(build_predictor(config), ModelConfig(config, SIZE, unit=5.0, metric=True), folder)
    return folder


def depth_by(model: Path, tmp_path: Path) -> np.ndarray:
    path = write_photographs(tmp_path, ["a.png"]) / "a.png"
    return DepthPredictor.load(model, device="cpu")(path)


def test_the_folder_of_a_backbone_may_be_gone(tmp_path: Path) -> None:
    backbone = write_tiny_backbone(tmp_path / "tiny")
    model = write_model(tmp_path / "model", str(backbone))
    expected = depth_by(model, tmp_path)
    shutil.rmtree(backbone)
    np.testing.assert_array_equal(depth_by(model, tmp_path), expected)


def test_the_name_may_have_come_to_mean_another_backbone(tmp_path: Path) -> None:
    backbone = write_tiny_backbone(tmp_path / "tiny")
    model = write_model(tmp_path / "model", str(backbone))
    expected = depth_by(model, tmp_path)
    write_other_backbone(backbone)
    np.testing.assert_array_equal(depth_by(model, tmp_path), expected)


def test_a_relative_name_is_good_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_tiny_backbone(tmp_path / "tiny")
    for place in ("here", "far/away"):
        (tmp_path / place).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    expected = depth_by(write_model(Path("model"), "../tiny"), tmp_path)
    monkeypatch.chdir(tmp_path / "far" / "away")
    np.testing.assert_array_equal(depth_by(Path("../../here/model"), tmp_path), expected)


def test_the_cache_of_the_hub_may_be_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    cached = tmp_path / "hub" / "models--someone--tiny"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "main").write_text("abc")
    write_tiny_backbone(cached / "snapshots" / "abc")
    model = write_model(tmp_path / "model", "someone/tiny")
    shutil.rmtree(tmp_path / "hub")
    assert load_predictor(model)[0].depth.backbone.channels == (8, 8, 16, 24, 32)


def test_depth_and_pose_keep_a_backbone_each(tmp_path: Path) -> None:
    tiny, other = write_tiny_backbone(tmp_path / "tiny"), write_other_backbone(tmp_path / "other")
    config = config_with_pose(str(tiny), str(other))
    model = save(config, tmp_path / "model")
    expected = load_predictor(model)[0].state_dict()
    shutil.rmtree(tiny)
    shutil.rmtree(other)
    loaded, read = load_predictor(model)
    assert loaded.depth.backbone.channels == (8, 8, 16, 24, 32)
    assert loaded.pose.backbone.channels == (4, 4, 4, 4, 4)
    assert all(torch.equal(loaded.state_dict()[name], expected[name]) for name in expected)
    # The configuration goes on to say what the backbones were called.
    assert read.predictor == config
    assert json.loads((model / POSE).read_text())["num_channels"] == 3


def test_one_name_for_depth_and_pose_is_kept_for_both(tmp_path: Path) -> None:
    tiny = write_tiny_backbone(tmp_path / "tiny")
    model = save(config_with_pose(str(tiny), str(tiny)), tmp_path / "model")
    shutil.rmtree(tiny)
    assert load_predictor(model)[0].pose.backbone.channels == (8, 8, 16, 24, 32)
    assert (model / DEPTH).read_text() == (model / POSE).read_text()


def test_what_was_loaded_can_be_saved_again(tmp_path: Path) -> None:
    tiny = write_tiny_backbone(tmp_path / "tiny")
    model = write_model(tmp_path / "model", str(tiny))
    shutil.rmtree(tiny)
    loaded, config = load_predictor(model)
    save_model(loaded, config, tmp_path / "again")
    np.testing.assert_array_equal(depth_by(tmp_path / "again", tmp_path), depth_by(model, tmp_path))


def test_an_earlier_model_in_the_folder_leaves_no_backbone(tmp_path: Path) -> None:
    tiny = str(write_tiny_backbone(tmp_path / "tiny"))
    model = save(config_with_pose(tiny, tiny), tmp_path / "model")
    assert sorted(path.name for path in model.glob("*.json")) == [DEPTH, POSE]
    save(predictor_config("resnet18"), model)
    assert [path.name for path in model.glob("*.json")] == [DEPTH]
    assert load_predictor(model)[0].depth.backbone.channels[-1] == 512


def test_older_model_folders_load_by_name(tmp_path: Path) -> None:
    tiny = write_tiny_backbone(tmp_path / "tiny")
    model = write_model(tmp_path / "model", str(tiny))
    expected = depth_by(model, tmp_path)
    (model / DEPTH).unlink()
    np.testing.assert_array_equal(depth_by(model, tmp_path), expected)
    shutil.rmtree(tiny)
    with pytest.raises(ValueError, match=f"{CONFIG}: backbone: expected one of .*got '{tiny}'"):
        load_predictor(model)


def test_a_kept_backbone_starts_another_training(tmp_path: Path) -> None:
    tiny = write_tiny_backbone(tmp_path / "tiny")
    model = write_model(tmp_path / "model", str(tiny))
    shutil.rmtree(tiny)
    another = build_predictor(predictor_config(str(model / DEPTH)))
    load_weights(another, model)
    expected = load_predictor(model)[0].state_dict()
    assert all(torch.equal(another.state_dict()[name], expected[name]) for name in expected)
    config = ModelConfig(predictor_config(str(model / DEPTH)), SIZE, unit=5.0, metric=True)
    save_model(another, config, tmp_path / "next")
    shutil.rmtree(model)
    assert load_predictor(tmp_path / "next")[1] == read_config(tmp_path / "next")


def test_a_damaged_backbone_is_said_in_one_line(tmp_path: Path) -> None:
    model = write_model(tmp_path / "model", str(write_tiny_backbone(tmp_path / "tiny")))
    (model / DEPTH).write_text("{")
    with pytest.raises(ValueError, match=r"depth\.backbone\.json: expected .* copy it again") as e:
        load_predictor(model)
    assert "\n" not in str(e.value)
