"""What the check of a rig says of good pairs and of the same pairs disturbed by known amounts.

usage: python benchmarks/rig_check.py [.../shared/data] > benchmarks/rig_check.md

The right pictures are shifted, turned or stretched about their middle, at their own size, by cubic
interpolation; `swapped` exchanges the sides. Hints are made of the disturbed pairs of KITTI Stereo
2015 to see what a misalignment costs.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from hints_quality import judge as judge_hint

from leadline.data.depth_files import read_disparity
from leadline.data.image_files import image_size
from leadline.data.sources.base import FrameId
from leadline.data.sources.detect import open_source
from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.settings import WorldSettings
from leadline.hints.features import match_features
from leadline.hints.jobs import source_jobs
from leadline.hints.method import PUBLISHED_SIZE, HintMethod
from leadline.hints.pair import HintJob, load_pair, make_hints
from leadline.hints.rectification import FEW_PAIRS, REPORT_PAIRS, RigCheck, check_rig

REAL = Path(__file__).resolve().parents[2] / "shared" / "data"
DRIVES = ("2011_09_26_drive_unidentified_sync", "2011_09_26_drive_0023_sync")
WORLD = WorldSettings(drives=4, frames=2, size=(1242, 376), seed=5)
MOST_PAIRS = 10
"""Of a set that are disturbed: all of KITTI Stereo 2015."""
STEREO_2015 = "KITTI Stereo 2015"
Change = Callable[[np.ndarray], np.ndarray]


def moved(down: float = 0, degrees: float = 0, taller: float = 0) -> Change:
    """Shift a picture down, turn it clockwise, stretch it upright; about its middle."""

    def change(picture: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        middle = np.array([width - 1, height - 1]) / 2
        cosine, sine = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
        matrix = np.array([[cosine, -sine], [sine * (1 + taller), cosine * (1 + taller)]])
        shift = middle - matrix @ middle + (0, down)
        return cv2.warpAffine(
            picture,
            np.column_stack([matrix, shift]),
            (width, height),
            flags=cv2.INTER_CUBIC,
            borderMode=cv2.BORDER_REFLECT,
        )

    return change


CHANGES: Mapping[str, Change] = {
    "as it is": moved(),
    **{f"right {down:g} px lower": moved(down=down) for down in (0.5, 1, 1.5, 2, 5, 20)},
    **{f"right turned {angle:g} degrees": moved(degrees=angle) for angle in (0.2, 0.5, 1, 2)},
    "right 1 % taller": moved(taller=0.01),
    "right 5 px lower, turned 1 degree": moved(down=5, degrees=1),
}


def disturbed(jobs: Sequence[HintJob], folder: Path, change: Change) -> list[HintJob]:
    """Jobs with changed right pictures, written to `folder`."""
    folder.mkdir()
    changed = []
    for number, job in enumerate(jobs):
        right = folder / f"{number}.png"
        picture = cv2.imread(str(job.right))
        cv2.imwrite(str(right), change(picture), [cv2.IMWRITE_PNG_COMPRESSION, 1])
        changed.append(replace(job, right=right))
    return changed


def swapped(jobs: Sequence[HintJob]) -> list[HintJob]:
    return [replace(job, left=job.right, right=job.left) for job in jobs]


def left_only(jobs: Sequence[HintJob]) -> list[HintJob]:
    return [replace(job, right_hint=None) for job in jobs if job.left_hint is not None]


def data_sets(real: Path, folder: Path) -> dict[str, list[HintJob]]:
    """Jobs of every set, left hints only."""
    generate(folder / "world", WORLD)
    sources = {"synthetic world": open_source(folder / "world")}
    if real.is_dir():
        sources |= {STEREO_2015: open_source(real / "kitti_stereo_2015")}
        for drive in DRIVES:
            sources[drive.removeprefix("2011_09_26_")] = open_source(real / "kitti_raw")
    jobs = {name: left_only(source_jobs(source).jobs) for name, source in sources.items()}
    return {
        name: [job for job in found if "drive" not in name or name in str(job.left)]
        for name, found in jobs.items()
    }


def row(what: str, name: str, check: RigCheck, d1: float | None = None) -> str:
    """What the check found, and what it says of it."""
    found, verdict = check.pooled, check.verdict
    said = f"{verdict.severity}: {', '.join(verdict.kinds)}"
    wrong = "" if d1 is None else f"{d1:.3f}"
    if found is None:
        return f"| {what} | {name} | {said} | | | | | | | | {wrong} |"
    worst = max((pair.alignment.rows for pair in check.pairs if pair.alignment), default=0.0)
    return (
        f"| {what} | {name} | {said} | {found.rows:.2f} | {worst:.2f} | {found.offset:+.2f} | "
        f"{found.roll:+.3f} | {found.stretch:+.2%} | {found.spread:.2f} | {found.wrong_side:.1%} | "
        f"{wrong} |"
    )


def d1_all(jobs: Sequence[HintJob], truths: Sequence[np.ndarray], folder: Path) -> float:
    """Share of true pixels whose hint is wrong or missing: see benchmarks/hints_quality.py."""
    wrong = []
    for number, (job, truth) in enumerate(zip(jobs, truths, strict=True)):
        view = PurePosixPath(f"{number}.png")
        make_hints(replace(job, left_hint=view), HintMethod(), folder)
        wrong.append(judge_hint(read_disparity(folder / view), truth)[3])
    return float(np.mean(wrong))


def true_disparities(real: Path) -> list[np.ndarray]:
    source = KittiStereo2015(real / "kitti_stereo_2015")
    lefts: list[FrameId] = [frame for frame in source.frames if frame.camera == 0]
    return [truth for frame in lefts if (truth := source.true_disparity(frame)) is not None]


def judged(real: Path, folder: Path, sets: Mapping[str, list[HintJob]]) -> None:
    print(
        "| right picture | pairs | verdict | rows px | worst pair | lower px | turned ° | taller | "
        "spread px | wrong side | D1-all of hints |\n"
        "|---|---|---|---:|---:|---:|---:|---:|---:|---:|---:|"
    )
    truths = true_disparities(real) if STEREO_2015 in sets else []
    cases = [*CHANGES, "swapped", "swapped, 5 px lower", "the left picture again"]
    for number, what in enumerate(cases):
        for name, jobs in sets.items():
            place = folder / f"{number} {name}"
            if what.startswith("swapped"):
                changed = swapped(jobs)
                if "," in what:
                    changed = disturbed(changed, place, moved(down=5))
            elif what in CHANGES:
                changed = disturbed(jobs, place, CHANGES[what])
            else:
                changed = [replace(job, right=job.left) for job in jobs]
            check = check_rig(changed, PUBLISHED_SIZE)
            wants_d1 = name == STEREO_2015
            d1 = d1_all(changed, truths, folder / f"hints {number}") if wants_d1 else None
            print(row(what, name, check, d1), flush=True)


def strangers(folder: Path, sets: Mapping[str, list[HintJob]]) -> None:
    """Pairs that are none: what share of their features finds a partner."""
    print("\n| pairs | features | matched | verdict |\n|---|---:|---:|---|")
    rng = np.random.default_rng(0)
    noise = folder / "noise"
    noise.mkdir()
    for name in ("a", "b"):
        for number in range(FEW_PAIRS):
            grey = 128 + rng.normal(0, 3, (*PUBLISHED_SIZE, 3))
            cv2.imwrite(str(noise / f"{number}{name}.png"), np.clip(grey, 0, 255).astype(np.uint8))
    jobs = {f"{name}, as they are": found for name, found in sets.items()}
    for name, found in sets.items():
        others = [
            replace(job, right=found[n - len(found) // 2].right) for n, job in enumerate(found)
        ]
        jobs[f"{name}, right pictures of other times"] = [
            job for job in others if image_size(job.left) == image_size(job.right)
        ]
    jobs["grey walls with the noise of a sensor"] = [
        HintJob(noise / f"{n}a.png", noise / f"{n}b.png") for n in range(FEW_PAIRS)
    ]
    for name, found in jobs.items():
        check = check_rig(found, PUBLISHED_SIZE)
        features = [
            match_features(*load_pair(job.left, job.right, PUBLISHED_SIZE)).features
            for job in found[:FEW_PAIRS]
        ]
        matched = sum(pair.matches for pair in check.pairs) / max(len(check.pairs), 1)
        verdict = check.verdict
        print(
            f"| {name} | {np.mean(features):.0f} | {matched:.0f} | {verdict.severity}: "
            f"{', '.join(verdict.kinds)} |",
            flush=True,
        )


def costs(folder: Path, sets: Mapping[str, list[HintJob]]) -> None:
    """Seconds of the check beside those of the hints, one thread, one process."""
    print(
        "\n| pairs | in the set | seconds, few pairs | seconds, pairs of a report | "
        "offsets apart, px | seconds per hint |\n|---|---:|---:|---:|---:|---:|"
    )
    cv2.setNumThreads(1)
    for name, jobs in sets.items():
        start = time.perf_counter()
        few = check_rig(jobs, PUBLISHED_SIZE)
        middle = time.perf_counter()
        many = check_rig(jobs, PUBLISHED_SIZE, REPORT_PAIRS)
        end = time.perf_counter()
        for job in jobs[:FEW_PAIRS]:
            make_hints(job, HintMethod(), folder / "cost")
        hint = (time.perf_counter() - end) / len(jobs[:FEW_PAIRS])
        assert few.pooled is not None
        assert many.pooled is not None
        apart = abs(few.pooled.offset - many.pooled.offset)
        print(
            f"| {name} | {len(jobs)} | {middle - start:.1f} ({len(few.pairs)} pairs) | "
            f"{end - middle:.1f} ({len(many.pairs)} pairs) | {apart:.2f} | {hint:.2f} |",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("LEADLINE_REAL_DATA", REAL))
    parser.add_argument("real", type=Path, nargs="?", default=default)
    real = parser.parse_args().real
    print(
        f"Measured {date.today()}, {platform.machine()}, OpenCV {cv2.__version__}, pairs at "
        f"{PUBLISHED_SIZE[1]}x{PUBLISHED_SIZE[0]}, up to {FEW_PAIRS} pairs of each set.\n"
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sets = data_sets(real, folder)
        few = {name: jobs[:: -(-len(jobs) // MOST_PAIRS)] for name, jobs in sets.items()}
        judged(real, folder, few)
        strangers(folder, few)
        costs(folder, sets)


if __name__ == "__main__":
    main()
