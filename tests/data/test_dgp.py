"""DDAD as it lies on the disk: what is read, what is missing, what is wrong."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from data.dgp_trees import (
    SCENE,
    SENSOR_TO_VEHICLE,
    SEQUENCE,
    STEP,
    as_json,
    changed,
    sensor_to_world,
    vehicle_to_world,
    write_cloud,
    write_list,
    write_scene,
)
from data.tiny_trees import CX, CY, FOCAL, SIZE, cut_short

from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import open_source, source_config
from leadline.data.sources.dgp import DgpScenes
from leadline.data.splits import split_frames
from leadline.offset import STEREO, Offset

FRAME, NEXT = FrameId(SEQUENCE, 1), FrameId(SEQUENCE, 2)


def test_the_front_camera_of_each_scene_is_a_sequence(tmp_path: Path) -> None:
    for scene in (SCENE, "000003"):
        write_scene(tmp_path, scene, cameras=("CAMERA_01", "CAMERA_05"))
    source = open_source(tmp_path)
    assert isinstance(source, DgpScenes)
    assert list(source.sequences) == ["000003/CAMERA_01", SEQUENCE]
    assert [frame.index for frame in source.sequences[SEQUENCE]] == [0, 1, 2, 3]
    path = source.image_path(FRAME)
    assert path == tmp_path / SCENE / "rgb/CAMERA_01/1568000000100000.png"
    assert source.neighbour(FRAME, Offset(1)) == NEXT
    assert source.neighbour(FRAME, STEREO) is None
    assert str(source.hint_path(FRAME)) == f"{SEQUENCE}/1568000000100000.png"
    assert source.remarks() == ()


def test_other_cameras_are_chosen_by_name(tmp_path: Path) -> None:
    write_scene(tmp_path, cameras=("CAMERA_01", "CAMERA_05"))
    for setting in ("cameras=[CAMERA_05]", "cameras=CAMERA_05"):
        source = open_source(tmp_path, [setting])
        assert list(source.sequences) == [f"{SCENE}/CAMERA_05"]
    both = open_source(tmp_path, ["cameras=[CAMERA_05,CAMERA_01]"])
    assert list(both.sequences) == [SEQUENCE, f"{SCENE}/CAMERA_05"]
    assert both.neighbour(FRAME, STEREO) is None
    with pytest.raises(ValueError, match=r"cameras: expected some of CAMERA_01, .*got CAMERA_09"):
        DgpScenes(tmp_path, cameras=("CAMERA_09",))
    with pytest.raises(
        ValueError, match=r"expected a setting of DgpScenes as NAME=VALUE, got came"
    ):
        open_source(tmp_path, ["camera=[CAMERA_05]"])


def test_the_camera_is_the_one_of_the_calibration(tmp_path: Path) -> None:
    write_scene(tmp_path)
    source = DgpScenes(tmp_path)
    camera = source.camera(FRAME)
    assert camera is not None
    expected = [[FOCAL, 0, CX], [0, FOCAL + 1, CY], [0, 0, 1]]
    assert np.array_equal(camera.intrinsics, expected)
    assert camera.size == source.size(FRAME) == SIZE
    assert source.baseline(SEQUENCE) is None


def seen_at(world: np.ndarray, camera: str, index: int) -> np.ndarray:
    """(u, v, z) of points of the world, step by step: world, vehicle, camera, pixel."""
    rotation, translation = SENSOR_TO_VEHICLE[camera]
    vehicle = vehicle_to_world(index * STEP)
    rows = []
    for point in world:
        on_vehicle = vehicle[:3, :3].T @ (point - vehicle[:3, 3])
        x, y, z = rotation.inv().apply(on_vehicle - translation)
        rows.append((FOCAL * x / z + CX, (FOCAL + 1) * y / z + CY, z))
    return np.array(rows)


def in_world(points: np.ndarray, camera: str, index: int) -> np.ndarray:
    pose = sensor_to_world(camera, index)
    return points @ pose[:3, :3].T + pose[:3, 3]


@pytest.mark.parametrize("camera", ["CAMERA_01", "CAMERA_05"])
def test_a_lidar_wall_is_seen_where_it_stood_when_the_picture_was_taken(
    tmp_path: Path, camera: str
) -> None:
    """The sweep comes 40 ms later, when the vehicle is 0.6 m further and has turned."""
    scene = write_scene(tmp_path, cameras=("CAMERA_01", "CAMERA_05"))
    x, y = np.meshgrid(np.linspace(-11.9, 12.03, 21), np.linspace(-4.1, 3.97, 11))
    wall = in_world(np.column_stack([x.ravel(), y.ravel(), np.full(x.size, 20.0)]), camera, 1)
    write_cloud(scene, 1, wall)
    source = DgpScenes(tmp_path, cameras=(camera,))
    frame = FrameId(f"{SCENE}/{camera}", 1)
    depth = source.true_depth(frame)
    assert depth is not None
    assert depth.shape == SIZE
    expected = np.zeros(SIZE)
    for u, v, z in seen_at(wall, camera, 1):
        column, row = math.floor(u + 0.5), math.floor(v + 0.5)
        if 0 <= column < SIZE[1] and 0 <= row < SIZE[0]:
            expected[row, column] = z
    assert (expected > 0).sum() > 100
    np.testing.assert_allclose(depth, expected, rtol=1e-5)
    assert depth[depth > 0] == pytest.approx(20, rel=1e-5)
    assert source.truth_kind(frame) == "LiDAR clouds, depth along the camera's axis"
    assert source.truth_kind(frame, "improved") is source.true_depth(frame, "improved") is None
    assert scene in source.truth_files(frame)


def test_the_nearest_point_wins_and_what_is_behind_is_not_seen(tmp_path: Path) -> None:
    scene = write_scene(tmp_path)
    ray = np.array([0.31, 0.1, 1.0])
    points = np.stack([ray * 30, ray * 12, ray * 50, -ray * 5])
    write_cloud(scene, 1, in_world(points, "CAMERA_01", 1))
    depth = DgpScenes(tmp_path).true_depth(FRAME)
    assert depth is not None
    row, column = round((FOCAL + 1) * 0.1 + CY), round(FOCAL * 0.31 + CX)
    assert depth[row, column] == pytest.approx(12, rel=1e-5)
    assert (depth > 0).sum() == 1


def test_distance_is_the_way_between_two_places_of_the_camera(tmp_path: Path) -> None:
    write_scene(tmp_path, cameras=("CAMERA_01", "CAMERA_05"))
    source = DgpScenes(tmp_path, cameras=("CAMERA_01", "CAMERA_05"))
    for camera in source.cameras:
        places = [sensor_to_world(camera, index)[:3, 3] for index in range(4)]
        frames = [FrameId(f"{SCENE}/{camera}", index) for index in range(4)]
        for one, other in ((0, 1), (1, 0), (0, 3)):
            way = np.linalg.norm(places[other] - places[one])
            assert source.distance(frames[one], frames[other]) == pytest.approx(way, abs=1e-6)
        assert source.seconds(frames[0], frames[3]) == pytest.approx(3 * STEP, abs=1e-5)
        assert source.seconds(frames[3], frames[0]) == pytest.approx(-3 * STEP, abs=1e-5)
    assert math.isnan(source.distance(FRAME, FrameId(f"{SCENE}/CAMERA_05", 1)))
    assert math.isnan(source.seconds(FRAME, FrameId(f"{SCENE}/CAMERA_05", 1)))


def test_motion_between_frames_is_known_when_asked_for(tmp_path: Path) -> None:
    write_scene(tmp_path)
    assert DgpScenes(tmp_path).target_to_source(FRAME, NEXT) is None
    motion = DgpScenes(tmp_path, temporal_poses=True).target_to_source(FRAME, NEXT)
    assert motion is not None
    point = np.array([1.0, 2.0, 9.0])
    world = in_world(point[None], "CAMERA_01", 1)[0]
    there = motion[:3, :3] @ point + motion[:3, 3]
    np.testing.assert_allclose(in_world(there[None], "CAMERA_01", 2)[0], world, atol=1e-6)


def test_times_may_be_microseconds_and_zeros_be_left_out(tmp_path: Path) -> None:
    def as_protocol_buffers_do(content: Any) -> None:
        for number, entry in enumerate(content["data"]):
            entry["id"]["timestamp"] = 1_568_000_000_000_000 + 250_000 * number
            (measured,) = entry["datum"].values()
            measured["pose"] = {"rotation": {"qw": 1.0}, "translation": {"x": float(number)}}
            del measured["height"], measured["width"]

    changed(write_scene(tmp_path, lidar=False), as_protocol_buffers_do)
    source = DgpScenes(tmp_path)
    assert source.seconds(FRAME, NEXT) == pytest.approx(0.25)
    assert source.distance(FRAME, NEXT) == pytest.approx(1)
    camera = source.camera(FRAME)
    assert camera is not None
    assert camera.size == SIZE


def test_the_lists_of_the_data_set_are_split_names(tmp_path: Path) -> None:
    for scene in ("000001", "000002", "000151"):
        write_scene(tmp_path, scene, count=2)
    write_list(tmp_path, train=["000001", "000002"], val=["000151", "000152"], test=["000200"])
    source = DgpScenes(tmp_path)
    train = split_frames(source, Path("train"))
    assert [str(frame) for frame in train] == [
        *("000001/CAMERA_01 0 l", "000001/CAMERA_01 1 l"),
        *("000002/CAMERA_01 0 l", "000002/CAMERA_01 1 l"),
    ]
    assert {frame.sequence for frame in split_frames(source, Path("val"))} == {"000151/CAMERA_01"}
    with pytest.raises(
        FileNotFoundError, match=r"test: expected a split file or a list of .*, val"
    ):
        split_frames(source, Path("test"))
    assert source.remarks() == ("2 of 5 scenes that ddad.json lists are not here, first: 000152",)
    file = tmp_path / "mine.txt"
    file.write_text("000151/CAMERA_01 1\n")
    assert split_frames(source, file) == (FrameId("000151/CAMERA_01", 1),)


def test_of_two_scene_files_the_listed_one_is_read(tmp_path: Path) -> None:
    listed = write_scene(tmp_path, count=3)
    older = changed(write_scene(tmp_path, count=3), lambda content: content["samples"].pop())
    older.rename(listed.with_name("scene_0000.json"))
    write_scene(tmp_path, count=3)
    assert len(DgpScenes(tmp_path).frames) == 2
    write_list(tmp_path, train=[SCENE])
    assert len(DgpScenes(tmp_path).frames) == 3


def test_half_a_data_set_works_and_says_what_is_missing(tmp_path: Path) -> None:
    complete = write_scene(tmp_path, "000001")
    write_cloud(complete, 1, in_world(np.array([[0, 0, 9.0]]), "CAMERA_01", 1))
    bare = write_scene(tmp_path, "000002", lidar=False)
    (bare.parent / "calibration/c0.json").unlink()
    lost = write_scene(tmp_path, "000003")
    for path in (lost.parent / "point_cloud/LIDAR").iterdir():
        path.unlink()
    image = min((lost.parent / "rgb/CAMERA_01").iterdir())
    image.unlink()
    still = write_scene(tmp_path, "000004")

    def without_poses(content: Any) -> None:
        for entry in content["data"]:
            (measured,) = entry["datum"].values()
            del measured["pose"]

    changed(still, without_poses)
    torn = cut_short(write_scene(tmp_path, "000005"))
    source = DgpScenes(tmp_path)
    *lines, damaged = source.remarks()
    assert lines == [
        "no usable calibration: no intrinsics in 1 of 4 sequences (000002/CAMERA_01)",
        "no poses: no distance, no LiDAR depth in 1 of 4 sequences (000004/CAMERA_01)",
        "no LiDAR point clouds: no depth in 2 of 4 sequences (000002/CAMERA_01, 000003/CAMERA_01)",
        f"1 images that scene files name are not here, first: {image}",
    ]
    assert damaged.startswith(f"{torn}: expected JSON, got")
    measured = {frame.sequence for frame in source.frames if source.has_depth(frame)}
    assert measured == {"000001/CAMERA_01"}
    # The number of a frame is its sample's: what is lost leaves a gap.
    assert [frame.index for frame in source.sequences["000003/CAMERA_01"]] == [1, 2, 3]
    chosen = select(source, source.frames, Needs((Offset(-1), Offset(1)), distance=True))
    assert {frame.sequence for frame in chosen.frames} == {"000001/CAMERA_01", "000003/CAMERA_01"}
    assert chosen.reasons()["no calibration"] == 4
    assert chosen.reasons()["no speed"] == 2


def test_poses_of_the_vehicle_are_not_taken_for_those_of_sensors(tmp_path: Path) -> None:
    def of_the_vehicle(content: Any) -> None:
        for entry in content["data"]:
            (measured,) = entry["datum"].values()
            measured["pose"] = as_json(vehicle_to_world(0))

    changed(write_scene(tmp_path), of_the_vehicle)
    source = DgpScenes(tmp_path)
    assert source.remarks() == (
        f"poses contradict the calibration: LiDAR not read in 1 of 1 sequences ({SEQUENCE})",
    )
    assert source.true_depth(FRAME) is None


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda c: c["intrinsics"][0].update(fx=0), "expected fx and fy of CAMERA_01 in pixels"),
        (lambda c: c["intrinsics"][0].update(k1=-0.3), "without distortion, got k1 = -0.3"),
        (lambda c: c["names"].pop(), "expected names, intrinsics and extrinsics of the sensors"),
        (lambda c: c["names"].__setitem__(0, "CAMERA_06"), "expected a calibration of CAMERA_01"),
        (lambda c: c.pop("extrinsics"), "one each, got KeyError('extrinsics')"),
    ],
)
def test_a_sick_calibration_is_told_in_one_line(
    tmp_path: Path, change: Any, complaint: str
) -> None:
    scene = write_scene(tmp_path)
    path = changed(scene.parent / "calibration/c0.json", change)
    source = DgpScenes(tmp_path)
    assert source.camera(FRAME) is None
    assert source.true_depth(FRAME) is None
    told = [remark for remark in source.remarks() if remark.startswith(f"{path}: expected")]
    assert len(told) == 1
    assert complaint in told[0]
    assert "\n" not in told[0]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "expected JSON, got"),
        ("[]", "expected a DGP scene with samples and data, got TypeError"),
        ('{"samples": []}', "expected a DGP scene with samples and data, got KeyError('data')"),
        (
            '{"data": [], "samples": [{"datum_keys": ["x"], "calibration_key": "c"}]}',
            "got KeyError('x'); copy it again",
        ),
    ],
)
def test_a_wrong_scene_file_is_told_in_one_line(tmp_path: Path, text: str, complaint: str) -> None:
    path = write_scene(tmp_path)
    path.write_text(text)
    with pytest.raises(ValueError, match="expected") as caught:
        DgpScenes(tmp_path)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"points": np.ones((2, 4))}, "expected an npz file with the array 'data'"),
        ({"data": np.ones((2, 2))}, "as points x (x, y, z, ...), got float64 of shape (2, 2)"),
        ({"data": np.array(["a", "b"])}, "got <U1 of shape (2,)"),
    ],
)
def test_a_wrong_point_cloud_is_told_in_one_line(
    tmp_path: Path, content: dict[str, np.ndarray], complaint: str
) -> None:
    path = write_cloud(write_scene(tmp_path), 1, np.zeros((0, 3)))
    np.savez(path, **content)
    with pytest.raises(ValueError, match="expected") as caught:
        DgpScenes(tmp_path).true_depth(FRAME)
    assert str(caught.value).startswith(f"{path}: ")
    assert complaint in str(caught.value)
    cut_short(path)
    with pytest.raises(ValueError, match="expected an npz file with the array 'data', got"):
        DgpScenes(tmp_path).true_depth(FRAME)


def test_a_list_file_of_another_kind_is_left_alone_and_a_torn_one_is_told(tmp_path: Path) -> None:
    write_scene(tmp_path)
    (tmp_path / "notes.json").write_text(json.dumps({"mine": 1}))
    assert DgpScenes(tmp_path).splits == {}
    path = write_list(tmp_path, train=[SCENE])
    assert list(DgpScenes(tmp_path).splits) == ["train"]
    path.write_text("{")
    source = DgpScenes(tmp_path)
    assert source.splits == {}
    assert source.remarks()[0].startswith(f"{path}: expected JSON")


def test_scenes_without_their_images_say_where_they_should_be(tmp_path: Path) -> None:
    scene = write_scene(tmp_path)
    for path in (scene.parent / "rgb/CAMERA_01").iterdir():
        path.unlink()
    with pytest.raises(FileNotFoundError, match=r"1568000000000000\.png: expected the images that"):
        DgpScenes(tmp_path)
    with pytest.raises(FileNotFoundError, match="expected scene folders such as 000150"):
        DgpScenes(tmp_path / SCENE / "rgb")


def test_it_is_recognised(tmp_path: Path) -> None:
    write_scene(tmp_path)
    assert source_config(tmp_path)["class_path"] == "leadline.data.sources.dgp.DgpScenes"
