"""Models with random weights, and a few stereo pairs, for all tests of this room."""

from pathlib import Path

import pytest
from small_models import write_model, write_tiny_backbone
from worlds import write_stereo_folder

from leadline.inference.predictor import DepthPredictor


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metric ResNet-18 that sees 64x96; not to be changed."""
    return write_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="session")
def model(model_folder: Path) -> DepthPredictor:
    """The predictor of `model_folder`."""
    return DepthPredictor.load(model_folder, device="cpu")


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three stereo pairs in folders; not to be changed."""
    return write_stereo_folder(tmp_path_factory.mktemp("pairs") / "world", count=3)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a tiny backbone, trained on pairs; not to be changed."""
    folder = tmp_path_factory.mktemp("small")
    return write_model(folder / "model", str(write_tiny_backbone(folder / "tiny")))
