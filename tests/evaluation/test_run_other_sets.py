"""DDAD and Cityscapes from the model to the figures, each by the protocol of its publication."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from commands import leadline
from data.cityscapes_trees import BASELINE, CITY, FX, write_camera, write_disparity, write_frames
from data.cityscapes_trees import SIZE as CITYSCAPES_SIZE
from data.dgp_trees import sensor_to_world, write_cloud, write_list, write_scene
from data.tiny_trees import SIZE, write_image
from prediction_folders import SETTINGS, write_predictions
from small_models import SIZE as MODEL_SIZE
from small_models import write_model, write_tiny_backbone

from leadline.data.prediction_record import PredictionRecord
from leadline.evaluation.predictions import open_predictions
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import PREDICTIONS, REPORT, RESULTS, TRUTH, evaluate_model
from leadline.inference.predict_files import predict_files
from leadline.inference.predictor import DepthPredictor


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    return write_model(root / "model", str(write_tiny_backbone(root / "backbone")))


@pytest.fixture(scope="module")
def ddad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two scenes with points from 5 m to 300 m before the camera."""
    root = tmp_path_factory.mktemp("ddad")
    rng = np.random.default_rng(0)
    for scene in ("000001", "000151"):
        path = write_scene(root, scene, count=2)
        z = rng.uniform(5, 300, 400)
        ahead = np.column_stack(
            [rng.uniform(-0.7, 0.7, 400) * z, rng.uniform(-0.2, 0.2, 400) * z, z]
        )
        for index in range(2):
            pose = sensor_to_world("CAMERA_01", index)
            write_cloud(path, index, ahead @ pose[:3, :3].T + pose[:3, 3])
    write_list(root, train=["000001"], val=["000151"])
    return root


def network_depth(model: Path, image: Path) -> np.ndarray:
    """What the network says at its own size."""
    predictor = DepthPredictor.load(model)
    pixels, _ = predictor.load_image(image, upright=False)
    return 1 / predictor.inverse_depth(pixels[None])[0]


@pytest.mark.parametrize(
    ("protocol", "least", "most", "settings"),
    [
        ("ddad", 0, 200, {"mode": "bilinear", "align_corners": True}),
        ("ddad_250", 1e-3, 250, {"mode": "bilinear", "align_corners": True}),
        ("ddad_nearest", 0, 200, {"mode": "nearest-exact"}),
    ],
)
def test_ddad_by_hand(
    model: Path,
    ddad: Path,
    tmp_path: Path,
    protocol: str,
    least: float,
    most: float,
    settings: dict[str, object],
) -> None:
    found = evaluate_model(model, ddad, tmp_path, split=Path("val"), protocol=protocol)
    assert [row.id for row in found.rows] == [f"000151/CAMERA_01 {index} l" for index in (0, 1)]
    assert found.truth == "LiDAR clouds, depth along the camera's axis"
    expected = []
    for index, image in enumerate(sorted((ddad / "000151/rgb/CAMERA_01").iterdir())):
        truth = np.load(tmp_path / TRUTH / f"000151=CAMERA_01+{index}+l.npz")["depth"]
        small = torch.from_numpy(network_depth(model, image))[None, None]
        depth = torch.nn.functional.interpolate(small, SIZE, **settings)[0, 0].numpy()
        scored = (truth > least) & (truth < most)
        p, g = np.clip(depth[scored], 1e-3, most), truth[scored]
        expected.append(np.mean(np.abs(p - g) / g))
        assert (truth > most).any()
    assert found.mean.abs_rel == pytest.approx(np.mean(expected), rel=1e-5)
    bins = [(each.near, each.far) for each in found.by_distance]
    assert bins[-3:] == [(100, 150), (150, 200), (200, 250)] or most == 200
    assert Evaluation.load(tmp_path / RESULTS) == found
    assert "000151/CAMERA_01" in (tmp_path / REPORT).read_text()


def test_predictions_resized_for_one_protocol_are_not_scored_by_another(
    model: Path, ddad: Path, tmp_path: Path
) -> None:
    evaluate_model(model, ddad, tmp_path, protocol="ddad")
    with pytest.raises(ValueError, match=r"holds predictions of resize depth_aligned_corners inst"):
        evaluate_model(model, ddad, tmp_path, protocol="none")
    # The ways differ: it matters.
    other = evaluate_model(model, ddad, tmp_path / "other", protocol="none")
    assert other.by_distance[-1].far is None
    assert Evaluation.load(tmp_path / "other" / RESULTS) == other
    same = evaluate_model(model, ddad, tmp_path, protocol="ddad")
    assert other.mean != same.mean


def test_another_camera_of_ddad_from_the_command_line(model: Path, tmp_path: Path) -> None:
    scene = write_scene(tmp_path / "ddad", cameras=("CAMERA_01", "CAMERA_05"))
    pose = sensor_to_world("CAMERA_05", 0)
    write_cloud(scene, 0, (np.array([[0, 0, 9.0]]) @ pose[:3, :3].T) + pose[:3, 3])
    words = ("evaluate", model, tmp_path / "ddad", "--protocol", "ddad", "--out", tmp_path / "out")
    answer = leadline(*words, "--source", "cameras=[CAMERA_05]")
    assert answer.code == 0, answer.err
    found = Evaluation.load(tmp_path / "out" / RESULTS)
    assert [row.id for row in found.rows] == ["000150/CAMERA_05 0 l"]
    assert found.by_distance[0].near == 7


@pytest.fixture(scope="module")
def cityscapes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One picture with something to see, whose disparity grows downwards, with holes."""
    root = write_frames(tmp_path_factory.mktemp("cityscapes"), kinds=["leftImg8bit"])
    write_image(
        root / "leftImg8bit" / CITY / "aachen_000000_000019_leftImg8bit.png", CITYSCAPES_SIZE
    )
    write_camera(root)
    rows = np.linspace(3 * 256, 120 * 256, CITYSCAPES_SIZE[0])
    values = np.tile(rows[:, None], (1, CITYSCAPES_SIZE[1])).round()
    values[:, ::3] = 0
    write_disparity(root, values)
    return root


def test_cityscapes_by_hand(model: Path, cityscapes: Path, tmp_path: Path) -> None:
    """As [manydepth] does it: cut off the bottom quarter of picture and truth, then the window."""
    found = evaluate_model(
        model, cityscapes, tmp_path, protocol="cityscapes", alignment="median", split=Path("train")
    )
    image = cityscapes / "leftImg8bit" / CITY / "aachen_000000_000019_leftImg8bit.png"
    cv2.imwrite(str(tmp_path / "upper.png"), cv2.imread(str(image))[:768])
    inverse_depth = 1 / network_depth(model, tmp_path / "upper.png")
    disparity = cv2.imread(
        str(cityscapes / "disparity" / CITY / "aachen_000000_000019_disparity.png"), -1
    ).astype(np.float64)
    truth = np.where(disparity > 1, FX * BASELINE * 256 / np.maximum(disparity - 1, 1), 0)[:768]
    depth = 1 / cv2.resize(inverse_depth, truth.shape[::-1])
    depth, truth = (values[256:, 192:1856] for values in (depth, truth))
    scored = (truth > 1e-3) & (truth < 80)
    p, g = depth[scored], truth[scored]
    p = np.clip(p * np.median(g) / np.median(p), 1e-3, 80)
    assert found.mean.abs_rel == pytest.approx(np.mean(np.abs(p - g) / g), rel=1e-5)
    assert found.pixels == scored.sum()
    assert found.missing == 0


def test_nothing_is_predicted_where_the_network_is_not_shown_the_picture(
    model: Path, tmp_path: Path
) -> None:
    path, upper = tmp_path / "a.png", tmp_path / "upper.png"
    write_image(path, (40, 64))
    cv2.imwrite(str(upper), cv2.imread(str(path))[:30])
    depth = DepthPredictor.load(model, crop_bottom=0.25)(path)
    assert depth.shape == (40, 64)
    assert (depth[30:] == 0).all()
    np.testing.assert_allclose(depth[:30], DepthPredictor.load(model)(upper), rtol=1e-6)
    with pytest.raises(ValueError, match="crop_bottom: expected a share of the height"):
        DepthPredictor.load(model, crop_bottom=1.5)


def test_a_png_of_the_upper_part_has_holes_below_and_the_farthest_above(
    model: Path, tmp_path: Path
) -> None:
    write_image(tmp_path / "in" / "a.png", MODEL_SIZE)
    predictor, out = DepthPredictor.load(model, crop_bottom=0.25), tmp_path / "out"
    predict_files(predictor, model, [str(tmp_path / "in")], out, ["millimetres"])
    record = PredictionRecord.load(out)
    assert record is not None
    assert record.settings.crop_bottom == 0.25
    far = np.full((8, 4), 100.0)
    far[6:] = 0
    write_predictions(
        tmp_path / "far", {"a": far}, settings=record.settings, kinds=("millimetres",)
    )
    read = open_predictions(tmp_path / "far")[0].read("a")
    assert (read[:6] == 65.535).all()
    assert (read[6:] == 0).all()
    assert SETTINGS.crop_bottom == 0


def test_cropped_and_whole_predictions_do_not_mix(
    model: Path, cityscapes: Path, tmp_path: Path
) -> None:
    evaluate_model(model, cityscapes, tmp_path, protocol="cityscapes")
    with pytest.raises(ValueError, match=r"holds predictions of crop_bottom 0.25 instead of 0.0"):
        evaluate_model(model, cityscapes, tmp_path, protocol="dense")
    assert len(list((tmp_path / PREDICTIONS / "npy").iterdir())) == 1
