"""Which focal length do the colour images of 7-Scenes have, and where is their camera?

Colour and depth of 7-Scenes are of two cameras, and of the focal length that comes with them, 585
px, nobody says whose it is. Four measures, with the poses as they are:

depth with depth: how far a depth image, moved into another frame, is from the depth there; colour
plays no part. Colours: a point of a depth image is looked up in the colour image of its own frame
and of another, by a depth camera and a colour camera of given focal lengths; mean absolute
difference less its median, capped. Edges: the strength of the colour image at the near side of the
jumps of its depth image; one frame at a time, no poses. Features: distance of matched features from
their epipolar lines; colour and poses alone.

    python benchmarks/rgbd_focal.py [--data ../shared/data]
"""

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import cv2
import numpy as np
from rgbd_room import (
    CENTRE,
    GIVEN,
    LEAST_OVERLAP,
    MOST_TURN,
    OCCLUDED,
    Cameras,
    Room,
    inside,
    moved,
    read_room,
    sampled,
)
from scipy.optimize import minimize
from stereo_drive import setting

from leadline.data.sources.rgbd_cameras import (
    SEVEN_SCENES_COLOUR,
    SEVEN_SCENES_DEPTH_TO_COLOUR,
)

TABLE = Path(__file__).with_suffix(".md")
FOLDER = "seven_scenes_redkitchen"
BESIDE = -0.025
CAP, FARTHEST, LEAST_MATCHES = 0.1, 8.0, 30
"""Colours of [0, 1]; pixels of an epipolar line; matches of a pair of frames."""
GROUPS = 5
DEPTH_FOCALS = (565.0, 575.0, 585.0, 595.0, 605.0)
FOCALS = (485.0, 500.0, 510.0, 515.0, 520.0, 525.0, 530.0, 535.0, 540.0, 555.0, 570.0, 585.0)
OFFSETS = (-0.05, -0.04, -0.03, -0.025, -0.02, -0.01, 0.0, 0.025)


def depth_with_depth(room: Room, cameras: Cameras, pairs: Sequence[tuple[int, int]]) -> float:
    errors = []
    for pair in pairs:
        _, there, found, seen = moved(room, pair, cameras)
        errors.append(np.median(np.abs(found - there[:, 2])[seen] / found[seen]))
    return float(np.mean(errors))


def colours(room: Room, cameras: Cameras, pairs: Sequence[tuple[int, int]]) -> float:
    errors = []
    for one, other in pairs:
        points, there, found, seen = moved(room, (one, other), cameras)
        seen &= np.abs(found - there[:, 2]) < OCCLUDED * there[:, 2]
        here_x, here_y = cameras.in_colour(points[seen])
        x, y = cameras.in_colour(there[seen])
        good = inside(here_x, here_y) & inside(x, y)
        change = sampled(room.pictures[one], here_x[good], here_y[good])
        change = change - sampled(room.pictures[other], x[good], y[good])
        change -= np.median(change, axis=0)
        errors.append(np.minimum(np.abs(change).mean(1), CAP).mean())
    return float(np.mean(errors))


def edges(room: Room, cameras: Cameras, frames: Sequence[int]) -> float:
    found = []
    for frame in frames:
        x, y = cameras.in_colour(cameras.points(*room.edges[frame]))
        good = inside(x, y)
        found.append(sampled(room.strengths[frame], x[good], y[good]).mean())
    return float(np.mean(found))


Matches = tuple[int, int, np.ndarray, np.ndarray]


def matches(room: Room) -> list[Matches]:
    sift, matcher = cv2.SIFT_create(1500), cv2.BFMatcher()
    features = [sift.detectAndCompute((p * 255).astype(np.uint8), None) for p in room.pictures]
    found = []
    for one, other in room.pairs:
        near = matcher.knnMatch(features[one][1], features[other][1], k=2)
        good = [first for first, second in near if first.distance < 0.7 * second.distance]
        here = np.array([features[one][0][m.queryIdx].pt for m in good])
        there = np.array([features[other][0][m.trainIdx].pt for m in good])
        if len(good) >= LEAST_MATCHES:
            found.append((one, other, here, there))
    return found


def features(room: Room, cameras: Cameras, pairs: Sequence[Matches]) -> float:
    """Sampson's distance in pixels, capped."""
    matrix = np.diag([cameras.colour_focal, cameras.colour_focal, 1.0])
    matrix[:2, 2] = CENTRE
    inverse, beside = np.linalg.inv(matrix), np.eye(4)
    beside[:2, 3] = cameras.offset
    errors = []
    for one, other, here, there in pairs:
        motion = np.linalg.inv(room.poses[other]) @ room.poses[one]
        motion = beside @ motion @ np.linalg.inv(beside)
        x, y, z = motion[:3, 3]
        cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
        fundamental = inverse.T @ cross @ motion[:3, :3] @ inverse
        first, second = (np.column_stack([each, np.ones(len(each))]) for each in (here, there))
        lines, back = first @ fundamental.T, second @ fundamental
        steep = np.sqrt((lines[:, :2] ** 2).sum(1) + (back[:, :2] ** 2).sum(1))
        errors.append(np.minimum(np.abs((second * lines).sum(1)) / steep, FARTHEST).mean())
    return float(np.mean(errors))


def least(values: Sequence[float], places: Sequence[float]) -> float:
    """Where the parabola through the least value and its neighbours is least."""
    middle = int(np.clip(np.argmin(values), 1, len(values) - 2))
    chosen = slice(middle - 1, middle + 2)
    a, b, _ = np.polyfit(places[chosen], values[chosen], 2)
    return float(-b / (2 * a))


def best_focal(measure: Callable[[float, slice], float]) -> str:
    """The focal length at the minimum, and the spread of that of `GROUPS` parts of the data."""
    whole = least([measure(f, slice(None)) for f in FOCALS], FOCALS)
    parts = [
        least([measure(f, slice(n, None, GROUPS)) for f in FOCALS], FOCALS) for n in range(GROUPS)
    ]
    return f"{whole:.0f} ± {np.std(parts, ddof=1):.0f}"


def freed(room: Room) -> Cameras:
    """The colour camera of the strongest edges, its centre and place free as well."""

    def cameras(x: np.ndarray) -> Cameras:
        return Cameras(
            GIVEN, 525 + 10 * x[0], (0.01 * x[1], 0.01 * x[2]), tuple(CENTRE + 5 * x[3:])
        )

    frames = range(len(room.poses))
    start = np.zeros(5)
    steps = np.vstack([start, 0.5 * np.eye(5)])
    found = minimize(
        lambda x: -edges(room, cameras(x), frames),
        start,
        method="Nelder-Mead",
        options={"initial_simplex": steps, "xatol": 0.02, "fatol": 1e-6, "maxfev": 400},
    )
    return cameras(found.x)


def row(name: str, values: Iterable[float], form: str, best: Callable[..., float] = min) -> str:
    listed = list(values)
    shown = [f"**{v:{form}}**" if v == best(listed) else f"{v:{form}}" for v in listed]
    return f"| {name} | {' | '.join(shown)} |"


def head(first: str, places: Sequence[float]) -> list[str]:
    names = " | ".join(f"{place:g}" for place in places)
    return [f"| {first} | {names} |", f"|---|{'---:|' * len(places)}"]


def table(room: Room) -> str:
    frames, matched = range(len(room.poses)), matches(room)
    offsets = {"0": (0.0, 0.0), f"{1000 * BESIDE:g}": (BESIDE, 0.0)}
    by_depth = [depth_with_depth(room, Cameras(f), room.pairs) for f in DEPTH_FOCALS]
    free = freed(room)
    lines = [
        "# The colour camera of 7-Scenes",
        "",
        f"`python benchmarks/rgbd_focal.py`. {setting()}.",
        "",
        f"{FOLDER}: {len(frames)} frames, {len(room.pairs)} pairs of them drawn from those that "
        f"are two and more apart, turned by less than {MOST_TURN:g} degrees and share "
        f"{LEAST_OVERLAP:.0%} of their points. Focal lengths in pixels of 640x480, centre "
        f"(320, 240) unless said. The file `camera-intrinsics.txt` says {GIVEN:g}.",
        "",
        "## The depth camera: depth with depth",
        "",
        "Median disagreement as a share of the depth, mean over pairs; no colour.",
        "",
        *head("depth camera", DEPTH_FOCALS),
        row("disagreement", (100 * value for value in by_depth), ".2f"),
        "",
        f"In per cent; least at {least(by_depth, DEPTH_FOCALS):.0f}.",
    ]
    return "\n".join([*lines, *_colour_lines(room, matched, offsets, free)]) + "\n"


def _colour_lines(
    room: Room,
    matched: Sequence[Matches],
    offsets: dict[str, tuple[float, float]],
    free: Cameras,
) -> list[str]:
    frames = range(len(room.poses))
    beside = (BESIDE, 0.0)
    lines = [
        "",
        "## The colour camera: colours",
        "",
        "Difference of colours in thousandths. The colour camera at the depth camera's centre, or "
        "25 mm beside it (points move by -25 mm along x).",
        "",
        *head("depth camera, mm along x \\ colour camera", FOCALS),
        *(
            row(
                f"{depth:g}, {name}",
                (1e3 * colours(room, Cameras(depth, f, offset), room.pairs) for f in FOCALS),
                ".1f",
            )
            for name, offset in offsets.items()
            for depth in DEPTH_FOCALS
        ),
        "",
        *head("mm along x, colour camera of 520", [1000 * offset for offset in OFFSETS]),
        row(
            "difference",
            (1e3 * colours(room, Cameras(GIVEN, 520, (o, 0)), room.pairs) for o in OFFSETS),
            ".2f",
        ),
        "",
        "## The colour camera: edges",
        "",
        "Strength of the colour image at edges of the depth image, above its mean, in thousandths: "
        "the more the better.",
        "",
        *head("mm along x \\ colour camera", FOCALS),
        *(
            row(
                f"{1000 * o:g}",
                (1e3 * edges(room, Cameras(GIVEN, f, (o, 0)), frames) for f in FOCALS),
                ".0f",
                max,
            )
            for o in OFFSETS
        ),
        "",
        f"With the centre and the place free as well: {free.colour_focal:.0f} px, centre "
        f"({free.centre[0]:.1f}, {free.centre[1]:.1f}), {1000 * free.offset[0]:.0f} mm along x and "
        f"{1000 * free.offset[1]:.0f} mm along y, strength {1e3 * edges(room, free, frames):.0f}.",
        "",
        "## The colour camera: features",
        "",
        f"Distance from epipolar lines in pixels, capped at {FARTHEST:g}; "
        f"{len(matched)} pairs with {LEAST_MATCHES} matches and more. No depth.",
        "",
        *head("mm along x \\ colour camera", FOCALS),
        *(
            row(
                name,
                (features(room, Cameras(GIVEN, f, offset), matched) for f in FOCALS),
                ".2f",
            )
            for name, offset in offsets.items()
        ),
        "",
        "## Together",
        "",
        f"Colour camera {1000 * BESIDE:g} mm along x. ± is the standard deviation over {GROUPS} "
        "parts of the pairs, or of the frames.",
        "",
        "| measure | focal length of the colour camera |",
        "|---|---:|",
    ]
    measures: dict[str, Callable[[float, slice], float]] = {
        "colours": lambda f, part: colours(room, Cameras(GIVEN, f, beside), room.pairs[part]),
        "edges": lambda f, part: -edges(room, Cameras(GIVEN, f, beside), frames[part]),
        "features": lambda f, part: features(room, Cameras(GIVEN, f, beside), matched[part]),
    }
    taken = Cameras(GIVEN, SEVEN_SCENES_COLOUR[0, 0], SEVEN_SCENES_DEPTH_TO_COLOUR[:2])
    return [
        *lines,
        *(f"| {name} | {best_focal(by)} |" for name, by in measures.items()),
        "",
        f"The file's {GIVEN:g} is the depth camera's: depth agrees best with depth there, and no "
        "measure finds the colour camera near it. Of the colour camera edges say most, since "
        "neither the poses nor the motion between two exposures play a part; the other two pay for "
        "the errors of both. Taken is the nominal colour camera of a Kinect, which lies among the "
        f"three: {taken.colour_focal:g} px, {1000 * taken.offset[0]:g} mm along x.",
        "",
        "| colour camera | colours | edges | features |",
        "|---|---:|---:|---:|",
        *(
            f"| {name} | {1e3 * colours(room, cameras, room.pairs):.1f} | "
            f"{1e3 * edges(room, cameras, frames):.0f} | {features(room, cameras, matched):.2f} |"
            for name, cameras in (("taken", taken), ("as if it were the depth camera", Cameras()))
        ),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(os.environ.get("LEADLINE_REAL_DATA", "../shared/data"))
    parser.add_argument("--data", type=Path, default=default, help=f"holds {FOLDER}/")
    cv2.setNumThreads(1)
    TABLE.write_text(table(read_room(parser.parse_args().data / FOLDER)))
    print(TABLE.read_text())


if __name__ == "__main__":
    main()
