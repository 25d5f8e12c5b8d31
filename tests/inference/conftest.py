"""One model with random weights for all tests of this room."""

from pathlib import Path

import pytest
from small_models import write_model

from leadline.inference.predictor import DepthPredictor


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metric ResNet-18 that sees 64x96; not to be changed."""
    return write_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="session")
def model(model_folder: Path) -> DepthPredictor:
    """The predictor of `model_folder`."""
    return DepthPredictor.load(model_folder, device="cpu")
