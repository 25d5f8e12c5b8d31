"""A predictor answers at the photograph's own size, in the unit that the model says."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from small_models import SIZE, linked_copy, replace_text, write_photographs

from leadline.inference.flip import blend_flipped
from leadline.inference.model_folder import CONFIG, WEIGHTS, load_predictor
from leadline.inference.predictor import DepthPredictor, as_batch, to_native
from leadline.offset import TARGET


@pytest.mark.parametrize("size", [(50, 70), (64, 96), (33, 121), (7, 5)])
def test_load_call_array_in_metres(
    model: DepthPredictor, tmp_path: Path, size: tuple[int, int]
) -> None:
    write_photographs(tmp_path, ["a.png"], size)
    depth = model(str(tmp_path / "a.png"))
    assert depth.shape == size
    assert depth.dtype == np.float32
    # The range of the network, 0.1 to 100 units of 5 m.
    assert (depth >= 0.5).all()
    assert (depth <= 500).all()


def test_it_is_the_network_on_the_resized_picture(
    model: DepthPredictor, model_folder: Path, tmp_path: Path
) -> None:
    path = write_photographs(tmp_path, ["a.png"], SIZE) / "a.png"
    network, config = load_predictor(model_folder)
    rgb = cv2.imread(str(path))[..., ::-1].astype(np.float32) / 255
    image = torch.from_numpy(rgb.copy()).movedim(-1, 0)[None]
    with torch.no_grad():
        expected = network(as_batch(image, config.unit)).depth[TARGET][0][0, 0].numpy()
    np.testing.assert_allclose(model(path), expected, rtol=1e-5)


def test_a_model_without_scale_says_so(model_folder: Path, tmp_path: Path) -> None:
    mono = linked_copy(model_folder, tmp_path / "mono")
    replace_text(mono / CONFIG, "metric: true", "metric: false")
    assert not DepthPredictor.load(mono).config.metric
    assert DepthPredictor.load(model_folder).config.metric


def test_flip_blends_with_the_prediction_of_the_mirrored_picture(
    model: DepthPredictor, model_folder: Path, tmp_path: Path
) -> None:
    path = write_photographs(tmp_path, ["a.png"], SIZE) / "a.png"
    cv2.imwrite(str(tmp_path / "mirrored.png"), cv2.imread(str(path))[:, ::-1])
    blended = blend_flipped(1 / model(path), 1 / model(tmp_path / "mirrored.png"))
    flipped = DepthPredictor.load(model_folder, flip=True)(path)
    np.testing.assert_allclose(flipped, 1 / blended, rtol=1e-4)
    assert np.abs(flipped - model(path)).max() > 1e-3


def test_another_size_than_that_of_training(model_folder: Path, tmp_path: Path) -> None:
    path = write_photographs(tmp_path, ["a.png"]) / "a.png"
    assert DepthPredictor.load(model_folder, size=(40, 100))(path).shape == (50, 70)


def test_what_is_interpolated_is_inverse_depth() -> None:
    inverse_depth = np.array([[1.0, 0.5]], np.float32)
    np.testing.assert_allclose(to_native(inverse_depth, (1, 4)), [[1, 1 / 0.875, 1 / 0.625, 2]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": (0, 96)}, "positive height and width"),
        ({"device": "gpu"}, "expected cpu, cuda, .* got gpu"),
        ({"device": "cuda:9"}, "expected cpu, cuda, .* got cuda:9"),
    ],
)
def test_what_this_machine_cannot_do_is_said(
    model_folder: Path, arguments: dict[str, object], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        DepthPredictor.load(model_folder, **arguments)


def test_a_model_that_predicts_nonsense_is_not_believed(model_folder: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file, save_file

    broken = linked_copy(model_folder, tmp_path / "broken")
    state = load_file(broken / WEIGHTS)
    (broken / WEIGHTS).unlink()
    save_file({name: values * torch.nan for name, values in state.items()}, broken / WEIGHTS)
    path = write_photographs(tmp_path, ["a.png"]) / "a.png"
    with pytest.raises(ValueError, match="expected positive depth from the model"):
        DepthPredictor.load(broken)(path)


def test_no_photograph_no_depth(model: DepthPredictor, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        model(tmp_path / "none.png")
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(ValueError, match="expected a whole image"):
        model(tmp_path / "text.png")


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA GPU to compare with")
def test_gpu_predicts_the_same(
    model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", False)
    path = write_photographs(tmp_path, ["a.png"], SIZE) / "a.png"
    cpu, gpu = (
        DepthPredictor.load(model_folder, device=device)(path) for device in ("cpu", "cuda")
    )
    np.testing.assert_allclose(gpu, cpu, rtol=1e-4)
