from pathlib import Path, PurePosixPath

from data.tiny_trees import SEQUENCE, write_drive

from leadline.data.sources.base import FrameId
from leadline.data.sources.kitti import KittiRaw
from leadline.hints.jobs import source_jobs


def test_each_pair_is_one_job_with_the_views_asked_for(tmp_path: Path) -> None:
    drive = write_drive(tmp_path, count=3)
    source = KittiRaw(tmp_path)
    assert [len(job.hints) for job in source_jobs(source).jobs] == [2, 2, 2]
    frames = [FrameId(SEQUENCE, 2, 1), FrameId(SEQUENCE, 0, 0), FrameId(SEQUENCE, 0, 1)]
    first, last = source_jobs(source, frames).jobs
    assert first.left == drive / "image_02/data/0000000000.png"
    assert first.right == last.right.with_name("0000000000.png")
    assert first.left_hint == PurePosixPath(SEQUENCE, "image_02/0000000000.png")
    assert first.right_hint == PurePosixPath(SEQUENCE, "image_03/0000000000.png")
    assert (last.left_hint, last.right_hint) == (None, source.hint_path(frames[0]))


def test_frames_without_a_partner_are_told(tmp_path: Path) -> None:
    drive = write_drive(tmp_path, count=3)
    (drive / "image_03/data/0000000001.png").unlink()
    found = source_jobs(KittiRaw(tmp_path), [FrameId(SEQUENCE, i) for i in (0, 1, 9)])
    assert len(found.jobs) == 1
    assert found.unpaired == (FrameId(SEQUENCE, 1), FrameId(SEQUENCE, 9))
