"""From an autoencoder to depth: train features, freeze them, learn depth beside them, predict."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from commands import leadline
from small_models import write_model, write_tiny_backbone
from worlds import write_stereo_folder

from leadline.inference.model_folder import load_predictor, read_config
from leadline.inference.predictor import DepthPredictor
from leadline.networks.features import FrozenAutoencoder
from leadline.training.overrides import backbone_weights
from leadline.training.recipe import read_recipe

SMALL = [
    *("--data.height=64", "--data.width=96", "--data.batch_size=2", "--data.workers=0"),
    *("--run.epochs=1", "--run.log_every=1", "--run.loggers=[]", "--run.pictures_every=2"),
]


@pytest.mark.slow
def test_features_are_learnt_frozen_and_compared(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=8)
    backbone = write_tiny_backbone(tmp_path / "tiny")
    networks = "--model.predictor.init_args"
    first = leadline(
        *("train", "featdepth_autoencoder", str(world), "--out", str(tmp_path / "ae")),
        f"{networks}.extractor.init_args.backbone={backbone}",
        *("--weights=none", *SMALL),
    )
    assert first.code == 0, first.err
    autoencoder = tmp_path / "ae" / "model"
    sheets = sorted((tmp_path / "ae" / "pictures").glob("*.png"))
    assert sheets
    assert cv2.imread(str(sheets[-1])).std() > 1
    assert "none: it learns features" in (autoencoder / "README.md").read_text()
    with pytest.raises(ValueError, match=f"--extractor {autoencoder}"):
        DepthPredictor.load(autoencoder)
    second = leadline(
        *("train", "featdepth_ms", str(world), "--out", str(tmp_path / "fd")),
        *("--extractor", str(autoencoder), "--weights=none", *SMALL),
        f"{networks}.depth.init_args.backbone={backbone}",
        f"{networks}.pose=leadline.networks.pose.PoseCNN",
    )
    assert second.code == 0, second.err
    model = tmp_path / "fd" / "model"
    config = read_config(model)
    assert config.metric
    assert config.unit == pytest.approx(0.5 / 0.015)
    # The features that were compared are those that were learnt, to the last bit.
    predictor, _ = load_predictor(model)
    learnt, _ = load_predictor(autoencoder)
    frozen = predictor.extractor
    assert isinstance(frozen, FrozenAutoencoder)
    for name, value in frozen.backbone.state_dict().items():
        assert np.array_equal(value, learnt.extractor.backbone.state_dict()[name]), name  # type: ignore[union-attr,operator]
    depth = DepthPredictor.load(model)(world / "left" / "000000.png")
    assert depth.shape == (64, 96)
    assert (depth > 0).all()
    # Any recipe that compares features takes them, whatever it names itself.
    other = leadline(
        *("train", "dfr_ms", str(world), "--out", str(tmp_path / "dfr"), "--weights=none"),
        f"{networks}.extractor=leadline.networks.features.FrozenAutoencoder",
        *("--extractor", str(autoencoder), *SMALL),
        f"{networks}.depth.init_args.backbone={backbone}",
    )
    assert other.code == 0, other.err
    # What a run was begun from may move, or be gone: its weights are in the resume point.
    autoencoder.rename(tmp_path / "moved")
    words = ("train", "featdepth_ms", str(world), "--out", str(tmp_path / "fd"))
    settings = (
        *("--weights=none", *SMALL, "--run.epochs=2"),
        f"{networks}.depth.init_args.backbone={backbone}",
        f"{networks}.pose=leadline.networks.pose.PoseCNN",
    )
    gone = leadline(*words, *settings)
    assert gone.code == 0, gone.err
    assert "going on from step" in gone.out
    moved = leadline(*words, *settings, "--run.epochs=3", "--extractor", str(tmp_path / "moved"))
    assert moved.code == 0, moved.err
    assert "extractor.init_args.trained was" in moved.out
    # So may that of a model whose weights another run starts from.
    again = leadline(
        *("train", "featdepth_ms", str(world), "--out", str(tmp_path / "again")),
        *("--init-from", str(model), *settings),
        f"{networks}.extractor.init_args.backbone={backbone}",
    )
    assert again.code == 0, again.err


MISTAKES = {
    "no autoencoder": ((), "extractor: expected a trained autoencoder, got none; train one"),
    "no such folder": (("--extractor", "nowhere"), "nowhere: expected a model folder with"),
    "another kind of model": (("--extractor", "model"), "got none; give a model of another"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_is_no_autoencoder_is_said_in_one_line(mistake: str, tmp_path: Path) -> None:
    words, message = MISTAKES[mistake]
    world = write_stereo_folder(tmp_path / "world", count=3)
    write_model(tmp_path / "model", str(write_tiny_backbone(tmp_path / "tiny")))
    own = [str(tmp_path / word) if word in ("nowhere", "model") else word for word in words]
    answer = leadline(
        *("train", "featdepth_ms", str(world), "--out", str(tmp_path / "run")),
        *("--weights=none", *own, *SMALL),
    )
    assert answer.code == 2
    assert message in answer.complaint
    assert "Union" not in answer.err


def test_a_recipe_without_features_takes_no_extractor(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=3)
    words = ("train", "monodepth2_s", str(world), "--out", str(tmp_path / "run"))
    answer = leadline(*words, "--weights=none", "--extractor", str(tmp_path))
    assert "--extractor: is for recipes that compare features" in answer.complaint


def test_frozen_features_are_not_made_random_by_the_way() -> None:
    source = {"class_path": "leadline.data.sources.folder.ImageFolder", "init_args": {"root": "w"}}
    config = read_recipe("dfr_ms", {"data": {"source": source}})
    wanted = backbone_weights(config.model.predictor.as_dict(), "none")
    assert wanted == ["--model.predictor.init_args.depth.init_args.weights=none"]
    learning = read_recipe("featdepth_autoencoder", {"data": {"source": source}})
    assert backbone_weights(learning.model.predictor.as_dict(), "none") == [
        "--model.predictor.init_args.extractor.init_args.weights=none"
    ]


def test_brightness_without_its_price_is_refused(tmp_path: Path) -> None:
    world = write_stereo_folder(tmp_path / "world", count=3)
    answer = leadline(
        *("train", "monodepth2_s", str(world), "--out", str(tmp_path / "run"), "--weights=none"),
        "--model.predictor.init_args.brightness=leadline.networks.brightness.BrightnessNetwork",
        *SMALL,
    )
    assert "expected a BrightnessPrior beside a predictor with `brightness:`" in answer.complaint


def test_the_learning_rate_warms_up_in_a_run(tmp_path: Path) -> None:
    """From a start of 0 the first step moves no weight, whatever the rate."""
    world = write_stereo_folder(tmp_path / "world", count=4)
    backbone = write_tiny_backbone(tmp_path / "tiny")

    def weights(start: float, rate: float) -> dict[str, torch.Tensor]:
        run = tmp_path / f"{start}_{rate}"
        answer = leadline(
            *("train", "monodepth2_s", str(world), "--out", str(run), "--weights=none", *SMALL),
            f"--model.predictor.init_args.depth.init_args.backbone={backbone}",
            *("--model.warmup.steps=5", f"--model.warmup.start={start}", "--run.steps=1"),
            f"--model.optimiser.init_args.lr={rate}",
        )
        assert answer.code == 0, answer.err
        return dict(load_predictor(run / "model")[0].named_parameters())

    none, none_either, some = weights(0.0, 1e-4), weights(0.0, 1.0), weights(1.0, 1e-4)
    assert all(torch.equal(value, none_either[name]) for name, value in none.items())
    assert any(not torch.equal(value, some[name]) for name, value in none.items())
