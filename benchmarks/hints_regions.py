"""Quality of hints by region, against the exact truth of a synthetic world at the hints' own size.

usage: python benchmarks/hints_regions.py --out runs/regions

Left views, pixels of things (not sky) up to any distance: density, D1 (error above 3 px and above
5 %) among hints given, D1-all, where a missing hint counts as wrong; pooled over all images, since
some have few pixels of a region. Hints of the sky, which has none, are counted by themselves.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

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


def regions(disparity: np.ndarray, depth: np.ndarray, kinds: np.ndarray) -> dict[str, np.ndarray]:
    """Masks of a left image; what the right view does not show is in none of the first five."""
    things = depth > 0
    band = things & (np.arange(disparity.shape[1]) - disparity < 0)
    hidden = things & occluded_in_right(disparity) & ~band
    seen = things & ~band & ~hidden
    thin = np.isin(kinds, THIN)
    return {
        "all that both views see": seen,
        "thin structures": seen & thin,
        "poles": seen & (kinds == Kind.POLE),
        f"beyond {FAR:.0f} m": seen & (depth > FAR),
        "the rest": seen & ~thin & (depth <= FAR),
        "occluded in the right view": hidden,
        "left band, beyond the right view": band,
    }


def score(hint: np.ndarray, truth: np.ndarray, region: np.ndarray) -> tuple[int, int, int]:
    """Pixels in the region, of these with a hint, of these wrong."""
    given = region & (hint > 0)
    error = np.abs(hint - truth)
    wrong = given & (error > D1_PIXELS) & (error > D1_SHARE * truth)
    return int(region.sum()), int(given.sum()), int(wrong.sum())


def counts(world: Path, out: Path) -> Iterator[tuple[str, str, tuple[int, int, int]]]:
    """(region, method, pixels) of every left image."""
    source = open_source(world)
    splits = [read_split(path) for path in sorted((world / "splits").glob("*.txt"))]
    frames = sorted({f for split in splits for f in split if f.camera == 0}, key=str)
    jobs = source_jobs(source, frames).jobs
    for name, method in METHODS.items():
        print(name, generate_hints(jobs, out / name.replace(", ", "_"), method), flush=True)
    for frame in frames:
        depth, camera = source.true_depth(frame), source.camera(frame)
        baseline = source.baseline(frame.sequence)
        assert depth is not None
        assert camera is not None
        assert baseline is not None
        focal = float(camera.intrinsics[0, 0])
        truth = np.where(depth > 0, focal * baseline / np.where(depth > 0, depth, 1), 0)
        path = world / frame.sequence / "kinds" / "image_02" / f"{frame.index:010d}.png"
        kinds = np.asarray(decoded(np.fromfile(path, np.uint8), cv2.IMREAD_UNCHANGED))
        for name in METHODS:
            folder = out / name.replace(", ", "_")
            hint = read_disparity(folder / PurePosixPath(source.hint_path(frame)))
            for region, mask in regions(truth, depth, kinds).items():
                yield region, name, score(hint, truth, mask)
            yield "sky", name, score(hint, truth, depth == 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    print(setting())
    print(generate(out / "world", WORLD))
    sums: dict[str, dict[str, np.ndarray]] = {}
    for region, name, pixels in counts(out / "world", out):
        table = sums.setdefault(region, {})
        table[name] = table.get(name, np.zeros(3, int)) + np.array(pixels)
    every = sum(next(iter(table.values()))[0] for region, table in sums.items() if "all" in region)
    print(f"\n| region | share | {' | '.join(METHODS)} |\n|---|---:|{'---:|' * len(METHODS)}")
    for region, table in sums.items():
        cells = []
        for number, given, wrong in table.values():
            if region == "sky":
                cells.append(f"{given / number:.3f} given")
                continue
            d1_all = (number - given + wrong) / number
            cells.append(f"{given / number:.3f} / {wrong / max(given, 1):.3f} / **{d1_all:.3f}**")
        share = next(iter(table.values()))[0] / every
        print(f"| {region} | {share:.1%} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
