"""The sources on real photographs: what their own files say, and what they lack."""

import math
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from leadline.data.dataset import DepthDataset, Extras
from leadline.data.depth_files import MILLIMETRES, load_depth
from leadline.data.selection import Needs, select
from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import open_source
from leadline.data.sources.kitti import KittiRaw
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.geometry.warp import warp_by_depth
from leadline.offset import STEREO, TARGET, Offset

pytestmark = pytest.mark.real

MEASURED = "2011_09_26/2011_09_26_drive_0023_sync"
BARE = "2011_09_26/2011_09_26_drive_unidentified_sync"
VIDEO = (Offset(-1), Offset(1))


@pytest.fixture(scope="module")
def kitti(real_data: Path) -> KittiRaw:
    return KittiRaw(real_data / "kitti_raw", temporal_poses=True)


def test_calibration_of_the_date(kitti: KittiRaw) -> None:
    camera = kitti.camera(FrameId(MEASURED, 0))
    assert camera is not None
    assert camera.intrinsics[0, 0] == pytest.approx(721.5377)
    assert camera.size == (375, 1242)
    assert kitti.baseline(MEASURED) == pytest.approx(0.5327, abs=1e-4)
    assert kitti.baseline(BARE) == kitti.baseline(MEASURED)


def test_what_each_drive_lacks(kitti: KittiRaw) -> None:
    assert {name: len(frames) for name, frames in kitti.sequences.items()} == {
        MEASURED: 14,
        BARE: 42,
    }
    remarks = "\n".join(kitti.remarks())
    assert f"no oxts: no speed in 1 of 2 drives ({BARE})" in remarks
    assert f"no depth (first) in 1 of 2 drives ({BARE})" in remarks
    selection = select(kitti, kitti.frames, Needs((*VIDEO, STEREO)))
    assert len(selection.frames) == 2 * 5 + 2 * 19
    assert selection.reasons() == {"no frame at -1": 4, "no frame at +1": 4}
    measured = select(kitti, kitti.frames, Needs(VIDEO, depth=True, distance=True))
    assert len(measured.frames) == 2 * 5


def test_speed_times_time_follows_the_photographs(kitti: KittiRaw) -> None:
    frames = [FrameId(MEASURED, index) for index in range(7)]
    pairs = list(pairwise(frames))
    distances = [kitti.distance(first, second) for first, second in pairs]
    seen = [seen_distance(kitti, first, second) for first, second in pairs]
    assert sum(distances) == pytest.approx(5.49, abs=0.01)
    assert np.array(distances) == pytest.approx(np.array(seen), rel=0.025)
    # The poses step by whole oxts samples, up to 8 % away from what the pictures show.
    motions = [kitti.target_to_source(first, second) for first, second in pairs]
    steps = [float(np.linalg.norm(motion[:3, 3])) for motion in motions if motion is not None]
    assert sum(steps) == pytest.approx(5.63, abs=0.01)
    assert max(abs(np.array(steps) / seen - 1)) > 0.05
    assert math.isnan(kitti.distance(FrameId(BARE, 0), FrameId(BARE, 1)))


def seen_distance(kitti: KittiRaw, first: FrameId, second: FrameId) -> float:
    """Metres between two frames from tracked LiDAR points alone."""
    images = [
        cv2.imread(str(kitti.image_path(frame)), cv2.IMREAD_GRAYSCALE) for frame in (first, second)
    ]
    depth, camera = kitti.true_depth(first), kitti.camera(first)
    assert depth is not None
    assert camera is not None
    rows, columns = (found[::4] for found in np.nonzero((depth > 3) & (depth < 40)))
    pixels = np.stack([columns, rows], axis=1).astype(np.float32)
    window = {"winSize": (21, 21), "maxLevel": 4}
    there, found, _ = cv2.calcOpticalFlowPyrLK(*images, pixels[:, None], None, **window)
    back, _, _ = cv2.calcOpticalFlowPyrLK(*images[::-1], there, None, **window)
    good = found[:, 0].astype(bool) & (np.linalg.norm(back[:, 0] - pixels, axis=1) < 0.3)
    rays = np.column_stack([pixels, np.ones(len(pixels))]) @ np.linalg.inv(camera.intrinsics).T
    points = (rays * depth[rows, columns, None])[good]
    cv2.setRNGSeed(0)
    _, turn, step, inliers = cv2.solvePnPRansac(
        points, there[good, 0], camera.intrinsics, None, reprojectionError=1.0, iterationsCount=500
    )
    inside = inliers[:, 0]
    _, step = cv2.solvePnPRefineLM(
        points[inside], there[good, 0][inside], camera.intrinsics, None, turn, step
    )
    return float(np.linalg.norm(step))


def test_projected_lidar_explains_the_partner(kitti: KittiRaw) -> None:
    """LiDAR and the calibrated pose bring the other image onto the target, for both cameras."""
    size = (375, 1242)
    for camera in (0, 1):
        target = FrameId(MEASURED, 3, camera)
        dataset = DepthDataset(kitti, [target], (STEREO,), size, extras=Extras(depth=True))
        sample = dataset[0]
        assert sample.depth is not None
        assert sample.intrinsics is not None
        measured = sample.depth > 0
        assert measured.float().mean() == pytest.approx(0.04, abs=0.005)
        source = sample.images[STEREO][None].float() / 255
        image = sample.images[TARGET][None].float() / 255
        pose = sample.known_poses[STEREO][None]
        cameras = (sample.intrinsics[TARGET][None], sample.intrinsics[STEREO][None])
        depth = torch.where(measured, sample.depth, 1e3)[None]
        warped = warp_by_depth(source, depth, pose, *cameras)
        seen = (warped.in_view & measured).expand_as(image)
        right = (warped.image - image).abs()[seen].mean()
        unmoved = (source - image).abs()[seen].mean()
        backwards = warp_by_depth(source, depth, torch.linalg.inv(pose), *cameras).image
        assert right < 0.5 * unmoved
        assert right < 0.5 * (backwards - image).abs()[seen].mean()


def test_sparse_truth_keeps_its_values_when_small(kitti: KittiRaw) -> None:
    target = FrameId(MEASURED, 3)
    native = kitti.true_depth(target)
    assert native is not None
    extras = Extras(depth=True)
    small = DepthDataset(kitti, [target], (STEREO,), (192, 640), extras=extras)[0].depth
    assert small is not None
    assert set(small[small > 0].tolist()) <= set(native[native > 0].tolist())
    # A cell of about four pixels is measured when one of them is.
    assert 0.12 < (small > 0).float().mean() < 0.17


def test_pairs_of_stereo_2015(real_data: Path) -> None:
    source = KittiStereo2015(real_data / "kitti_stereo_2015")
    assert len(source.frames) == 20
    assert select(source, source.frames, Needs((STEREO,))).reasons() == {"no calibration": 20}
    assert len(select(source, source.frames, Needs((STEREO,), camera=False)).frames) == 20
    assert sorted({source.size(frame) for frame in source.frames}) == [
        (370, 1224), (374, 1238), (375, 1242)
    ]  # fmt: skip
    dataset = DepthDataset(source, source.frames, (STEREO,), (192, 640))
    assert {dataset[item].images[STEREO].shape for item in range(len(dataset))} == {(3, 192, 640)}
    for frame in source.frames[::2]:
        disparity = source.true_disparity(frame)
        assert disparity is not None
        assert disparity.shape == source.size(frame)
        assert 0.1 < (disparity > 0).mean() < 0.4
        assert 20 < disparity.max() < 256
        assert source.true_disparity(frame, "occ") is None


def test_depth_and_poses_of_7_scenes_bring_the_next_picture_onto_this_one(real_data: Path) -> None:
    """With depth brought to the colour camera; taken as it came, by the focal length that came with
    it, the pictures do not meet.
    """
    source = open_source(real_data / "seven_scenes_redkitchen", ["temporal_poses=true"])
    assert [frame.index for frame in source.frames] == list(range(0, 1000, 10))
    assert len(select(source, source.frames, Needs(VIDEO, depth=True, distance=True)).frames) == 98
    assert any("(fx 585.0) brought to the colour camera (fx 525.0)" in r for r in source.remarks())
    targets, ahead = source.frames[4:-4:9], Offset(3)
    dataset = DepthDataset(source, targets, (ahead,), (480, 640), extras=Extras(depth=True))
    for item, target in enumerate(targets):
        sample, file = dataset[item], source.truth_files(target)[0]
        assert sample.depth is not None
        assert sample.intrinsics is not None
        raw = torch.from_numpy(load_depth(file, MILLIMETRES)).float()[None]
        file_says = sample.intrinsics[TARGET].clone()
        file_says[[0, 1], [0, 1]] = 585
        image, other = (sample.images[offset][None].float() / 255 for offset in (TARGET, ahead))
        pose = sample.known_poses[ahead][None]
        seen = (sample.depth > 0) & (raw > 0)
        brought, as_it_came = (
            warp_by_depth(other, depth[None], pose, camera[None], camera[None]).image
            for depth, camera in ((sample.depth, sample.intrinsics[TARGET]), (raw, file_says))
        )
        right, wrong, unmoved = (
            float((picture - image).abs().mean(1)[seen].mean())
            for picture in (brought, as_it_came, other)
        )
        assert right < 0.7 * unmoved
        assert right < wrong
