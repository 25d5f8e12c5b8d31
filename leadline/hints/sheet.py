"""A contact sheet of hints: a few left images, their hints in colour, and how well they explain."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from leadline.colour import PHOTOMETRIC_LIMIT, montage
from leadline.data.depth_files import read_disparity
from leadline.files import atomic_path
from leadline.hints.pair import HintJob
from leadline.hints.pictures import HintPictures

SHEET_NAME = "contact_sheet.png"
_WIDTH = 512


def write_sheet(jobs: Sequence[HintJob], folder: Path) -> Path:
    """Write `contact_sheet.png` into the folder of hints: a row for each job's left hint.

    Raises:
        ValueError: no job has a left hint, or a file is damaged.
    """
    pictures, captions = [], []
    for job in jobs:
        if job.left_hint is not None:
            coverage = (read_disparity(folder / job.left_hint) > 0).mean()
            drawn = HintPictures.of(job, job.left_hint, folder)
            pictures += [drawn.image, drawn.hint, drawn.error]
            captions += [
                f"{job.left_hint}",
                f"hint, bright = near; {coverage:.0%} of pixels",
                f"photometric error, black 0, bright {PHOTOMETRIC_LIMIT} and more",
            ]
    sheet = montage(pictures, captions, columns=3, width=_WIDTH)
    path = folder / SHEET_NAME
    with atomic_path(path) as temporary:
        Image.fromarray(sheet).save(temporary, format="PNG")
    return path
