"""The stereo pairs of a data source as jobs for `generate_hints`."""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from leadline.data.sources.base import FrameId, Source
from leadline.hints.pair import HintJob
from leadline.offset import STEREO


@dataclass(frozen=True)
class SourceJobs:
    """Jobs, and the frames that have no partner and so can have no hint."""

    jobs: tuple[HintJob, ...]
    unpaired: tuple[FrameId, ...]


def source_jobs(source: Source, frames: Iterable[FrameId] | None = None) -> SourceJobs:
    """Hints for `frames` (left and right images alike), by default for every image of a source.

    Two views of one pair become one job, so that its images are read once.
    """
    jobs: dict[FrameId, HintJob] = {}
    unpaired = []
    for frame in sorted(set(source.frames if frames is None else frames)):
        partner = source.neighbour(frame, STEREO)
        if frame not in source or partner is None:
            unpaired.append(frame)
            continue
        left, right = sorted((frame, partner), key=lambda f: f.camera)
        job = jobs.get(left) or HintJob(source.image_path(left), source.image_path(right))
        hint = source.hint_path(frame)
        jobs[left] = (
            replace(job, left_hint=hint) if frame == left else replace(job, right_hint=hint)
        )
    return SourceJobs(tuple(jobs.values()), tuple(unpaired))


def without_partner(source: Source, found: SourceJobs) -> str:
    """The frames that can have no hint, in words: how many, why, and the first of them."""
    alone = [frame for frame in found.unpaired if frame in source]
    unknown = [frame for frame in found.unpaired if frame not in source]
    parts = []
    if alone:
        first = source.image_path(alone[0])
        parts.append(f"{len(alone)} images without one of the other camera, first {first}")
    if unknown:
        parts.append(f"{len(unknown)} frames that are no images here, first {unknown[0]}")
    return " and ".join(parts)


def no_pairs(source: Source, found: SourceJobs) -> str:
    """What to say where no frame has a partner: what was looked for, and what was found."""
    return (
        "expected stereo pairs (left/ and right/ beside a camera.yaml, or image_02/ and image_03/ "
        f"as in KITTI), found {without_partner(source, found)}; hints need both cameras; video of "
        "one camera is trained on without them, by the recipe monodepth2_m"
    )
