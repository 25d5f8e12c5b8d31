"""Quality of hints by region, against the exact truth of a synthetic world at the hints' own size.

usage: python benchmarks/hints_regions.py --out runs/regions

Left views, pixels of things (not sky) up to any distance: density, D1 (error above 3 px and above
5 %) among hints given, D1-all, where a missing hint counts as wrong; pooled over all images, since
some have few pixels of a region. Hints of the sky, which has none, are counted by themselves.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from stereo_drive import setting

from leadline.data.depth_files import read_disparity
from leadline.data.image_files import decoded
from leadline.data.sources.detect import open_source
from leadline.data.splits import read_split
from leadline.data.synthetic.generate import generate
from leadline.data.synthetic.kinds import Kind
from leadline.data.synthetic.settings import WorldSettings
from leadline.evaluation.regions import occluded_in_right
from leadline.evaluation.world import THIN
from leadline.hints.consistent import ConsistentSetting
from leadline.hints.generate import generate_hints
from leadline.hints.jobs import source_jobs
from leadline.hints.match import PUBLISHED_SETTINGS
from leadline.hints.method import HintMethod
from leadline.hints.pair import HintJob

WORLD = WorldSettings(drives=6, frames=4, size=(1024, 320), seed=5, velodyne=False)
METHODS = {
    "published": HintMethod("published", PUBLISHED_SETTINGS),
    "valid": HintMethod("valid"),
    "consistent": HintMethod(),
    "consistent, filled": HintMethod(consistent=ConsistentSetting(fill=True)),
}
FAR = 40.0
"""Metres."""
D1_PIXELS, D1_SHARE = 3, 0.05
SEEN, THIN_THINGS, POLES, SKY = "all that both views see", "thin structures", "poles", "sky"


def regions(disparity: np.ndarray, depth: np.ndarray, kinds: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of a left image; what the right view does not show is in none of the first five."""
    things = depth > 0
    band = things & (np.arange(disparity.shape[1]) - disparity < 0)
    hidden = things & occluded_in_right(disparity) & ~band
    seen = things & ~band & ~hidden
    thin = np.isin(kinds, THIN)
    return {
        SEEN: seen,
        THIN_THINGS: seen & thin,
        POLES: seen & (kinds == Kind.POLE),
        f"beyond {FAR:.0f} m": seen & (depth > FAR),
        "the rest": seen & ~thin & (depth <= FAR),
        "occluded in the right view": hidden,
        "left band, beyond the right view": band,
        SKY: ~things,
    }


def score(hint: np.ndarray, truth: np.ndarray, region: np.ndarray) -> tuple[int, int, int]:
    """Pixels in the region, of these with a hint, of these wrong."""
    given = region & (hint > 0)
    error = np.abs(hint - truth)
    wrong = given & (error > D1_PIXELS) & (error > D1_SHARE * truth)
    return int(region.sum()), int(given.sum()), int(wrong.sum())


@dataclass(frozen=True)
class LeftView:
    """A left image of the world and what is true of it."""

    job: HintJob
    disparity: np.ndarray
    regions: dict[str, np.ndarray]


def left_views(out: Path) -> Iterator[LeftView]:
    """Every left image of the world, which is made if it is not there."""
    world = out / "world"
    print(generate(world, WORLD))
    source = open_source(world)
    splits = [read_split(path) for path in sorted((world / "splits").glob("*.txt"))]
    for frame in sorted({f for split in splits for f in split if f.camera == 0}, key=str):
        depth, camera = source.true_depth(frame), source.camera(frame)
        baseline = source.baseline(frame.sequence)
        assert depth is not None
        assert camera is not None
        assert baseline is not None
        focal = float(camera.intrinsics[0, 0])
        truth = np.where(depth > 0, focal * baseline / np.where(depth > 0, depth, 1), 0)
        path = world / frame.sequence / "kinds" / "image_02" / f"{frame.index:010d}.png"
        kinds = np.asarray(decoded(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
        (job,) = source_jobs(source, [frame]).jobs
        yield LeftView(job, truth, regions(truth, depth, kinds))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    print(setting())
    views = list(left_views(out))
    folders = {name: out / name.replace(", ", "_") for name in METHODS}
    for name, method in METHODS.items():
        jobs = [view.job for view in views]
        print(name, generate_hints(jobs, folders[name], method, overwrite=True))
    sums: dict[str, dict[str, np.ndarray]] = {}
    for view in views:
        for name, folder in folders.items():
            hint = read_disparity(folder / view.job.hints[0])
            for region, mask in view.regions.items():
                table = sums.setdefault(region, {})
                table[name] = table.get(name, 0) + np.array(score(hint, view.disparity, mask))
    every = next(iter(sums[SEEN].values()))[0]
    print(f"\n| region | share | {' | '.join(METHODS)} |\n|---|---:|{'---:|' * len(METHODS)}")
    for region, table in sums.items():
        cells = []
        for number, given, wrong in table.values():
            if region == SKY:
                cells.append(f"{given / number:.3f} given")
                continue
            d1_all = (number - given + wrong) / number
            cells.append(f"{given / number:.3f} / {wrong / max(given, 1):.3f} / **{d1_all:.3f}**")
        share = next(iter(table.values()))[0] / every
        print(f"| {region} | {share:.1%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
