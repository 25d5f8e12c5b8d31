"""What each part of the default hints buys: one thing is changed at a time.

usage: python benchmarks/hints_study.py .../kitti_stereo_2015/training --out runs/regions

Left views of real pairs against `disp_noc_0` at native size, as in `hints_quality.py`, and of the
synthetic world of `hints_regions.py`, whose pixels of one kind are pooled. Settings were looked at
on the world and on every other pair ("tuned"), and are judged on the other pairs as well.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from hints_quality import judge
from hints_regions import POLES, SEEN, THIN_THINGS, LeftView, left_views, score
from stereo_drive import setting

from leadline.data.sources.stereo2015 import KittiStereo2015
from leadline.hints.consistent import ConsistentSetting, consistent_hints
from leadline.hints.fuse import SIXTEENTHS
from leadline.hints.method import PUBLISHED_SIZE
from leadline.hints.pair import load_pair
from leadline.offset import STEREO

DEFAULT = ConsistentSetting()
NO_GUIDE = {"guide_shift": 8}
NEVER = 1.1
"""More than any hint of half the size explains."""


def matching(**changes: int) -> ConsistentSetting:
    return replace(DEFAULT, matching=replace(DEFAULT.matching, **changes))


VARIANTS = {
    "**consistent**": DEFAULT,
    "no guide from half the size": matching(**NO_GUIDE),
    "no hints of half the size": replace(DEFAULT, least_explained=NEVER),
    "neither": replace(matching(**NO_GUIDE), least_explained=NEVER),
    "hints of half the size, explained or not": replace(DEFAULT, least_explained=0),
    "of half the size, if 0.3 explained (0.5)": replace(DEFAULT, least_explained=0.3),
    "if 0.7 explained": replace(DEFAULT, least_explained=0.7),
    "views may differ by 1 px (2)": replace(DEFAULT, tolerance=1.0),
    "by 1.5 px": replace(DEFAULT, tolerance=1.5),
    "by 3 px": replace(DEFAULT, tolerance=3.0),
    "patches up to 25 px dropped (50)": replace(DEFAULT, speckle=25),
    "up to 200 px": replace(DEFAULT, speckle=200),
    "P1 12 (18)": matching(p1=12),
    "P1 24": matching(p1=24),
    "P2 100 (150)": matching(p2=100),
    "P2 180": matching(p2=180),
    "P2 20 across edges (27)": matching(p2_least=20),
    "P2 35 across edges": matching(p2_least=35),
    "P2 150 across edges too": matching(p2_least=150),
    "guide twice as strong": matching(guide_shift=3),
    "guide half as strong": matching(guide_shift=5),
    "beyond the border nothing costs (up to 10 bits)": matching(beyond=0),
    "beyond the border all costs 30": matching(beyond=30),
    "range 160 (256)": matching(num_disparities=160),
    "holes filled": replace(DEFAULT, fill=True),
}
REGIONS = (SEEN, THIN_THINGS, POLES)


def real_pairs(training: Path) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Left image, right image and true disparity of each pair."""
    source, pairs = KittiStereo2015(training), []
    for frame in (frame for frame in source.frames if frame.camera == 0):
        partner, truth = source.neighbour(frame, STEREO), source.true_disparity(frame)
        if partner is not None and truth is not None:
            paths = source.image_path(frame), source.image_path(partner)
            pairs.append((*load_pair(*paths, PUBLISHED_SIZE), truth))
    return pairs


def left_hint(left: np.ndarray, right: np.ndarray, changed: ConsistentSetting) -> np.ndarray:
    hint = consistent_hints(left, right, changed, (True, False))[0]
    assert hint is not None
    return hint.disparity.astype(np.float32) / SIXTEENTHS


def means(rows: np.ndarray) -> str:
    """Density, D1 given and D1-all of pairs."""
    density, given, _, d1_all = rows.mean(axis=0)
    return f"{density:.4f} / {given:.4f} / {d1_all:.4f}"


def in_the_world(views: Sequence[LeftView], changed: ConsistentSetting) -> list[str]:
    """Density, D1 given and D1-all of each region."""
    counts = {region: np.zeros(3, int) for region in REGIONS}
    for view in views:
        hint = left_hint(*load_pair(view.job.left, view.job.right, PUBLISHED_SIZE), changed)
        for region in REGIONS:
            counts[region] += score(hint, view.disparity, view.regions[region])
    cells = []
    for number, given, wrong in counts.values():
        d1_all = (number - given + wrong) / number
        cells.append(f"{given / number:.3f} / {wrong / given:.3f} / {d1_all:.3f}")
    return cells


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("training", type=Path, help="folder with image_2, image_3, disp_noc_0")
    parser.add_argument("--out", type=Path, required=True, help="where the world is kept")
    options = parser.parse_args()
    print(setting())
    pairs, views = real_pairs(options.training), list(left_views(options.out))
    columns = ("all pairs", "tuned", "others", *REGIONS)
    print(f"\n| | {' | '.join(columns)} |\n|---|{'---:|' * len(columns)}")
    for name, changed in VARIANTS.items():
        rows = np.array([judge(left_hint(left, right, changed), t) for left, right, t in pairs])
        cells = [*map(means, (rows, rows[::2], rows[1::2])), *in_the_world(views, changed)]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
