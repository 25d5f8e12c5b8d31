"""Which pixels show things that can move: by the labels of a synthetic world, or by masks."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool

from leadline.data.image_files import decoded, unreadable
from leadline.data.sources.base import FrameId, Source
from leadline.data.synthetic.kinds import Kind
from leadline.evaluation.infinite import Labels
from leadline.evaluation.panels import find_photographs
from leadline.evaluation.world import label_picture
from leadline.offset import Offset

MOVABLE = (Kind.VEHICLE, Kind.MOVING_VEHICLE)
SAME_DISTANCE = 0.2
"""Metres by which the distance of what moves along changes from frame to frame at most: 7 km/h. In
a synthetic world the car ahead sways by a centimetre; others come nearer by half a metre at least.
"""

LabelsOf = Callable[[str], Labels | None]
"""The labels of an image by its id; None where it has none."""


def world_labels(source: Source, frames: Iterable[FrameId]) -> LabelsOf:
    """Labels of the vehicles of a synthetic world; of any other data set every answer is None."""
    frame_of = {str(frame): frame for frame in frames}

    def labels_of(image_id: str) -> Labels | None:
        frame = frame_of[image_id]
        kinds = label_picture(source, "kinds", frame)
        if kinds is None:
            return None
        moving = kinds == Kind.MOVING_VEHICLE
        return Labels(np.isin(kinds, MOVABLE), _moving_along(source, frame, moving))

    return labels_of


def mask_labels(folder: Path, ids: Sequence[str]) -> LabelsOf:
    """Labels by masks, one picture per image as `find_photographs` matches them: what is not black
    can move.

    Raises:
        FileNotFoundError, ValueError: as `find_photographs`; a mask that cannot be read says so
            when it is asked for.
    """
    paths = find_photographs(folder, tuple(ids))

    def labels_of(image_id: str) -> Labels:
        mask = decoded(np.fromfile(paths[image_id], np.uint8), cv2.IMREAD_GRAYSCALE)
        if mask is None:
            raise unreadable(paths[image_id])
        return Labels(np.asarray(mask > 0))

    return labels_of


def _moving_along(
    source: Source, frame: FrameId, moving: Bool[np.ndarray, "h w"]
) -> Bool[np.ndarray, "h w"] | None:
    """Moving things whose distance is the same in a neighbouring frame."""
    neighbours = (source.neighbour(frame, Offset(time)) for time in (1, -1))
    other = next((found for found in neighbours if found is not None), None)
    objects, depth = label_picture(source, "instances", frame), source.true_depth(frame)
    if other is None or objects is None or depth is None:
        return None
    other_objects, other_depth = label_picture(source, "instances", other), source.true_depth(other)
    if other_objects is None or other_depth is None:
        return None
    along = np.zeros_like(moving)
    for number in np.unique(objects[moving]):
        here, there = depth[objects == number], other_depth[other_objects == number]
        if there.size and abs(float(np.median(here) - np.median(there))) <= SAME_DISTANCE:
            along |= objects == number
    return along
