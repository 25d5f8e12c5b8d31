"""From an autoencoder to depth: train features, freeze them, learn depth beside them, predict."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from commands import leadline
from small_models import write_tiny_backbone
from worlds import write_stereo_folder

from leadline.inference.model_folder import load_predictor, read_config
from leadline.inference.predictor import DepthPredictor
from leadline.networks.features import FrozenAutoencoder

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
