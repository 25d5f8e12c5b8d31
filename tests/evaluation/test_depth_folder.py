import io

import cv2
import numpy as np
import pytest

from leadline.evaluation.depth_folder import DepthFolder
from leadline.evaluation.predictions import open_truth

DEPTH = np.array([[1.0, 2.5, 0.0], [80.0, 0.25, 7.0]])


def test_every_format_is_read_in_metres(tmp_path):
    np.save(tmp_path / "a.npy", DEPTH.astype(np.float32))
    np.savez(tmp_path / "b.npz", other=np.zeros((9, 9)), velodyne_depth=DEPTH)
    np.savez(tmp_path / "c.npz", DEPTH)
    cv2.imwrite(str(tmp_path / "d.png"), (DEPTH * 256).astype(np.uint16))
    np.save(tmp_path / "e.npy", DEPTH[None, None])
    np.save(tmp_path / "f.npy", DEPTH[..., None].astype(np.float16))
    (tmp_path / ".hidden.npy").write_bytes(b"half written")
    (tmp_path / "notes.txt").write_text("not depth")
    folder = open_truth(tmp_path)
    assert folder.ids == ("a", "b", "c", "d", "e", "f")
    for image_id in folder.ids:
        assert folder.read(image_id) == pytest.approx(DEPTH), image_id


def test_millimetres(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[7000, 1, 0]], dtype=np.uint16))
    assert DepthFolder.open(tmp_path, divide=1000).read("a").tolist() == [[7, 0.001, 0]]


def test_ids_are_decoded_paths(tmp_path):
    (tmp_path / "left").mkdir()
    np.save(tmp_path / "left" / "0001.npy", DEPTH)
    np.save(tmp_path / "day=drive+0002+l.npy", DEPTH)
    assert set(DepthFolder.open(tmp_path).ids) == {"left/0001", "day/drive 0002 l"}


def test_a_map_of_one_row_keeps_it(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((1, 5)))
    np.save(tmp_path / "b.npy", np.ones((1, 5, 1)))
    folder = DepthFolder.open(tmp_path)
    assert folder.read("a").shape == (1, 5)
    assert folder.read("b").shape in {(1, 5), (5, 1)}


def test_folders_without_depth_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="got no folder"):
        DepthFolder.open(tmp_path / "absent")
    with pytest.raises(FileNotFoundError, match=r"expected depth maps \(.npy, .npz, .png\)"):
        DepthFolder.open(tmp_path)


def test_two_files_of_one_id_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", DEPTH)
    np.savez(tmp_path / "a.npz", DEPTH)
    with pytest.raises(ValueError, match=r"a\.npy and a\.npz for 'a'; keep one"):
        DepthFolder.open(tmp_path)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((3, 4, 5)), r"a\.npy: expected a depth map of h x w, got the shape \(3, 4, 5\)"),
        (np.ones(4), r"got the shape \(4,\)"),
        (np.zeros((0, 4)), r"got the shape \(0, 4\)"),
        (np.array([[1.0, np.nan]]), "NaN or negative values at 1 of 2 pixels"),
        (np.array([[1.0, -2.0, -3.0]]), "NaN or negative values at 2 of 3 pixels"),
        (np.array([["far"]]), "expected metres"),
        (np.array([[{}]], dtype=object), "damaged or no numpy file of numbers"),
    ],
)
def test_what_is_not_depth_is_refused(tmp_path, values, message):
    np.save(tmp_path / "a.npy", values, allow_pickle=True)
    with pytest.raises(ValueError, match=message):
        DepthFolder.open(tmp_path).read("a")


def test_broken_files_are_named(tmp_path):
    whole = io.BytesIO()
    np.savez(whole, DEPTH)
    (tmp_path / "a.npz").write_bytes(whole.getvalue()[:-30])
    (tmp_path / "b.npy").write_bytes(b"")
    (tmp_path / "c.png").write_bytes(b"not a picture")
    np.savez(tmp_path / "d.npz")
    folder = DepthFolder.open(tmp_path, divide=256)
    for image_id in "abcd":
        with pytest.raises(ValueError, match=rf"{image_id}\.np[yz]|{image_id}\.png"):
            folder.read(image_id)


def test_pictures_are_not_depth(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"16-bit PNG of one channel.*uint8.*a picture"):
        DepthFolder.open(tmp_path, divide=256).read("a")


def test_a_png_needs_its_unit(tmp_path):
    cv2.imwrite(str(tmp_path / "a.png"), np.ones((4, 4), dtype=np.uint16))
    with pytest.raises(ValueError, match=r"pass divide=256 \(KITTI\) or divide=1000"):
        DepthFolder.open(tmp_path).read("a")


def test_unknown_ids_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", DEPTH)
    with pytest.raises(ValueError, match=r"expected an id of .*'a', got 'b'"):
        DepthFolder.open(tmp_path).read("b")
