"""Near-infinite pixels on movable things, counted by hand, and where labels of them come from."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from data.tiny_trees import SEQUENCE, SIZE, write_kitti
from prediction_folders import SETTINGS, write_predictions
from rich.console import Console

from leadline.data.depth_files import write_depth
from leadline.data.sources.kitti import KittiRaw
from leadline.data.synthetic.kinds import Kind
from leadline.evaluation.alignment import UNALIGNED, Alignment
from leadline.evaluation.infinite import InfiniteShares, Labels, infinite_shares, near_infinite
from leadline.evaluation.movable import mask_labels, world_labels
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.results import Evaluation
from leadline.evaluation.run import REPORT, RESULTS, evaluate_folders
from leadline.evaluation.table import evaluation_table

ROAD, CAR = 20.0, 10.0
"""Metres."""
HEIGHT, WIDTH = 10, 20
CARS, AHEAD = (slice(0, 10), slice(0, 10)), (slice(0, 4), slice(0, 10))
"""The left half is cars, 40 of their 100 pixels the one that drives ahead."""


def labels(ahead: bool = True) -> Labels:
    movable, along = np.zeros((2, HEIGHT, WIDTH), bool)
    movable[CARS] = True
    along[AHEAD] = True
    return Labels(movable, along if ahead else None)


def truth() -> np.ndarray:
    depth = np.full((HEIGHT, WIDTH), ROAD, np.float32)
    depth[CARS] = CAR
    return depth


def with_holes() -> np.ndarray:
    """All right but 30 pixels of the car ahead, 10 of another, and 5 of the road."""
    depth = truth()
    depth[0:3, 0:10] = 5 * CAR
    depth[5:6, 0:10] = 1e4
    depth[0:5, 15:16] = 5 * ROAD
    # Misjudged, but no hole.
    depth[9, 0:10] = 2.5 * CAR
    return depth


def shares(tmp_path: Path, depths: dict[str, np.ndarray], labels_of, **options) -> InfiniteShares:
    write_predictions(tmp_path / "predictions", depths)
    for image_id in depths:
        write_depth(tmp_path / "truth" / f"{image_id}.npz", truth())
    return infinite_shares(
        open_predictions(tmp_path / "predictions")[0],
        open_truth(tmp_path / "truth"),
        list(depths),
        labels_of,
        named_protocol(options.get("protocol", "dense")),
        options.get("alignment", UNALIGNED),
    )


def test_three_times_too_far_is_near_infinite_and_less_is_not() -> None:
    predicted = np.array([0.0, 10.0, 29.9, 30.0, np.inf])
    assert near_infinite(predicted, np.full(5, 10.0)).tolist() == [False] * 3 + [True] * 2


def test_the_shares_of_each_kind_of_pixels(tmp_path: Path) -> None:
    found = shares(tmp_path, {"a": with_holes()}, lambda image_id: labels())
    assert found.moving_along == pytest.approx(30 / 40)
    assert found.movable == pytest.approx(40 / 100)
    assert found.elsewhere == pytest.approx(5 / 100)


def test_predictions_are_scaled_but_not_clamped(tmp_path: Path) -> None:
    # At the protocol's cap of 80 m a pixel beyond 27 m could not be three times too far.
    depths = {"a": 0.01 * with_holes()}
    plain = shares(tmp_path / "plain", depths, lambda image_id: labels())
    assert plain == InfiniteShares(0.0, 0.1, 0.0)
    found = shares(tmp_path, depths, lambda image_id: labels(), alignment=Alignment("factor", 100))
    assert found.elsewhere == pytest.approx(5 / 100)
    ratio = float(np.median(truth()) / np.median(depths["a"]))
    scaled, by_hand = (
        shares(tmp_path / how.kind, depths, lambda image_id: labels(), alignment=how)
        for how in (Alignment("median"), Alignment("factor", ratio))
    )
    assert scaled == by_hand != plain


def test_means_are_over_the_images_that_have_such_pixels(tmp_path: Path) -> None:
    nothing = Labels(np.zeros((HEIGHT, WIDTH), bool))
    known = {"a": labels(), "b": labels(ahead=False), "c": nothing, "d": None}
    depths = {"a": with_holes(), "b": truth(), "c": truth(), "d": with_holes()}
    found = shares(tmp_path, depths, known.get)
    assert found.moving_along == pytest.approx(30 / 40)
    assert found.movable == pytest.approx(20 / 100)
    assert found.elsewhere == pytest.approx(5 / 300)


def test_without_labels_nothing_is_said(tmp_path: Path) -> None:
    assert shares(tmp_path, {"a": truth()}, lambda image_id: None) is None
    only_cars = Labels(np.ones((HEIGHT, WIDTH), bool))
    found = shares(tmp_path / "cars", {"a": truth()}, lambda image_id: only_cars)
    assert found == InfiniteShares(None, 0.0, None)


def test_labels_of_another_size_are_refused(tmp_path: Path) -> None:
    small = Labels(np.zeros((5, 5), bool))
    with pytest.raises(
        ValueError, match=r"image 'a': expected labels of the truth's size \(10, 20"
    ):
        shares(tmp_path, {"a": truth()}, lambda image_id: small)


def write_labels(root: Path, index: int, depth: dict[int, float]) -> None:
    """Two vehicles in motion, numbers 5 and 6, and a parked one at these depths; the rest road."""
    kinds, instances = np.full(SIZE, Kind.ROAD, np.uint8), np.ones(SIZE, np.uint16)
    metres = np.full(SIZE, ROAD, np.float32)
    for place, (number, away) in enumerate(depth.items()):
        columns = slice(10 * place, 10 * place + 10)
        kinds[:, columns] = Kind.VEHICLE if number == 7 else Kind.MOVING_VEHICLE
        instances[:, columns], metres[:, columns] = number, away
    for kind, picture in (("kinds", kinds), ("instances", instances)):
        path = root / SEQUENCE / kind / "image_02" / f"{index:010d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), picture)
    write_depth(root / SEQUENCE / f"proj_depth/exact/image_02/{index:010d}.npz", metres)


def test_a_world_says_what_can_move_and_what_moves_along(tmp_path: Path) -> None:
    root = write_kitti(tmp_path, 3)
    write_labels(root, 0, {5: 12.0, 6: 30.0, 7: 8.0})
    write_labels(root, 1, {5: 12.02, 6: 28.6, 7: 7.0})
    source = KittiRaw(root)
    labels_of = world_labels(source, source.frames)
    first, last, right = (f"{SEQUENCE} {name}" for name in ("0 l", "1 l", "0 r"))
    found = labels_of(first)
    assert found is not None
    assert found.movable[:, :30].all()
    assert not found.movable[:, 30:].any()
    assert found.moving_along is not None
    assert found.moving_along[:, :10].all()
    assert not found.moving_along[:, 10:].any()
    # The next frame has no labels: nobody knows what kept its distance.
    unknown = labels_of(last)
    assert unknown is not None
    assert unknown.moving_along is None
    assert labels_of(right) is None


def test_masks_of_movable_things_are_scored_and_reported(tmp_path: Path) -> None:
    depths = {"drive/0001": with_holes(), "drive/0002": truth()}
    write_predictions(tmp_path / "predictions", depths, replace(SETTINGS, metric=True))
    (tmp_path / "masks" / "drive").mkdir(parents=True)
    for image_id in depths:
        write_depth(tmp_path / "truth" / f"{image_id}.npz", truth())
        mask = 255 * labels().movable.astype(np.uint8)
        cv2.imwrite(str(tmp_path / "masks" / f"{image_id}.png"), mask)
    folders = tmp_path / "predictions", tmp_path / "truth"
    options = {"protocol": "dense", "movable": tmp_path / "masks"}
    found = evaluate_folders(*folders, tmp_path / "out", **options)
    assert found.infinite is not None
    assert found.infinite.moving_along is None
    assert found.infinite.movable == pytest.approx(0.2)
    assert found.infinite.elsewhere == pytest.approx(0.025)
    assert Evaluation.load(tmp_path / "out" / RESULTS) == found
    page = (tmp_path / "out" / REPORT).read_text()
    assert "Holes of infinite depth" in page
    assert "<td>20.0%</td>" in page
    console = Console(width=100, record=True)
    console.print(evaluation_table(found))
    assert "all that can move" in console.export_text()
    plain = evaluate_folders(*folders, tmp_path / "plain", protocol="dense")
    assert plain.infinite is None
    assert "Holes of infinite depth" not in (tmp_path / "plain" / REPORT).read_text()
    assert Evaluation.load(tmp_path / "plain" / RESULTS) == plain


def test_a_mask_that_is_no_picture_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"a\.png: expected a whole image"):
        mask_labels(tmp_path, ["a"])("a")
