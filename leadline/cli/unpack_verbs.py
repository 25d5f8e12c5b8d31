"""The verbs below `unpack`: archives of data sets -> images, depth and lists that verbs read."""

import argparse
import sys
from typing import TYPE_CHECKING

from leadline.cli.progress import progress

if TYPE_CHECKING:
    from leadline.data.unpack.folder import UnpackSummary


def nyu(options: argparse.Namespace) -> int:
    """The labelled frames of NYUv2, from nyu_depth_v2_labeled.mat."""
    from leadline.data.unpack.nyu import FOCAL, unpack_nyu

    focal = FOCAL if options.focal is None else options.focal
    with progress("frames") as advance:
        summary = unpack_nyu(options.file, options.out, options.splits, focal, advance)
    return _said(summary)


def make3d(options: argparse.Namespace) -> int:
    """Make3D, from folders of pictures (img-*.jpg) and laser scans (depth_sph_corr-*.mat)."""
    from leadline.data.unpack.make3d import unpack_make3d

    with progress("pictures") as advance:
        summary = unpack_make3d(options.folder, options.out, options.crop, advance)
    return _said(summary)


def _said(summary: "UnpackSummary") -> int:
    for message in summary.failed:
        print(f"leadline: {message}", file=sys.stderr)
    print(summary)
    if summary.beyond:
        print(f"{summary.beyond} pixels were too far for 16 bits and are 0")
    return 1 if summary.failed else 0
