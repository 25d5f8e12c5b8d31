"""One model with random weights for all tests of this room."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from small_models import write_model

from leadline.inference.predictor import DepthPredictor


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Small pictures are faster without threads, above all where tests run side by side."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metric ResNet-18 that sees 64x96; not to be changed."""
    return write_model(tmp_path_factory.mktemp("models") / "model")


@pytest.fixture(scope="session")
def model(model_folder: Path) -> DepthPredictor:
    """The predictor of `model_folder`."""
    return DepthPredictor.load(model_folder, device="cpu")
