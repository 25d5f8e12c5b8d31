"""What a command line may say, verb by verb."""

import argparse
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from leadline import __version__
from leadline.cli import prediction_verbs, unpack_verbs, verbs

EXIT_USAGE = 2


def read_arguments(words: Sequence[str]) -> argparse.Namespace:
    """The verb and its options; `overrides` holds what `train` hands on to the recipe.

    Raises:
        SystemExit: an argument is wrong, which has been said in one line.
    """
    options, rest = _parser().parse_known_args(_joined(words))
    if rest and options.verb is not verbs.train:
        _Parser(prog=f"leadline {options.name}").error(f"unknown argument {rest[0]}")
    options.overrides = rest
    return options


def _joined(words: Sequence[str]) -> list[str]:
    """`--data.workers 2` as `--data.workers=2`: the value of an override is no argument."""
    joined: list[str] = []
    for word in words:
        before = joined[-1] if joined else ""
        if re.fullmatch(r"--\w+(\.\w+)+", before) and not word.startswith("--"):
            joined[-1] = f"{before}={word}"
        else:
            joined.append(word)
    return joined


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, without repeating the whole usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(EXIT_USAGE, f"leadline: {message}; see `{self.prog} --help`\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="leadline",
        description="Train a camera to see depth in metres, and measure and ship what it learned.",
    )
    parser.add_argument("--version", action="version", version=f"leadline {__version__}")
    subparsers = parser.add_subparsers(dest="name", required=True, metavar="VERB")
    for add in (
        _add_demo,
        _add_synthetic,
        _add_unpack,
        _add_hints,
        _add_recipes,
        _add_train,
        _add_evaluate,
        _add_compare,
        _add_predict,
        _add_refine,
        _add_trajectory,
    ):
        add(subparsers)
    return parser


def _verb(subparsers: Any, function: Callable[[argparse.Namespace], int | None]) -> Any:
    text = (function.__doc__ or "").strip()
    parser = subparsers.add_parser(function.__name__, help=text.splitlines()[0], description=text)
    parser.set_defaults(verb=function)
    return parser


def _add_demo(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.demo)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it runs")


def _add_synthetic(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.synthetic)
    parser.add_argument("out", type=Path, help="folder to write the world to, KITTI raw layout")
    parser.add_argument("--drives", type=int, default=6)
    parser.add_argument("--frames", type=int, default=20, help="per drive")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--plain", action="store_true", help="walls, roofs and roads nearly without texture"
    )
    parser.add_argument(
        "--one-rig", action="store_true", help="the same car in all drives, not one for each date"
    )
    parser.add_argument(
        "--exposure-drift",
        type=float,
        metavar="SHARE",
        help="let the exposure hunt by so much, up and down within a second or two, e.g. 0.35",
    )


def _add_unpack(subparsers: Any) -> None:
    text = "Write what an archive of a data set holds as images, depth and lists of them."
    unpack = subparsers.add_parser("unpack", help=text, description=text)
    kinds = unpack.add_subparsers(dest="kind", required=True, metavar="KIND")
    parser = _verb(kinds, unpack_verbs.nyu)
    parser.add_argument("file", type=Path, help="nyu_depth_v2_labeled.mat")
    parser.add_argument("--splits", type=Path, help="the official splits.mat: for train and test")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--focal", type=float, help="of the colour camera, in pixels; default: 518.8579"
    )
    parser = _verb(kinds, unpack_verbs.make3d)
    parser.add_argument("folder", type=Path, help="holds pictures and scans, in it or below")
    parser.add_argument("--out", type=Path, required=True, help="folder to write to")
    parser.add_argument(
        "--crop",
        default="central",
        choices=["central", "none"],
        help="central: the 2:1 part of each picture, scored since Monodepth; none: all of it, and "
        "depth at 345x460, as FCRN scores it",
    )


def _add_hints(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.hints)
    parser.add_argument("data", type=Path, help="folder of stereo pairs")
    parser.add_argument("--out", type=Path, help="folder of the hints (default: DATA/hints)")
    parser.add_argument(
        "--split", type=Path, help="file of frames, or a list of the data set; default: every image"
    )
    _add_source(parser)
    parser.add_argument(
        "--mode",
        default="consistent",
        choices=["consistent", "valid", "published", "single", "random"],
        help="consistent: both views matched at once, kept where they agree, with a confidence; "
        "valid: per pixel the matcher of OpenCV that explains it best; published: the same, but a "
        "missing disparity may win, as in the paper's code; single: one matcher; random: one of "
        "the twelve published, drawn per image",
    )
    parser.add_argument(
        "--matchers",
        default="own",
        choices=["own", "published"],
        help="published: all twelve of the paper, five directions, in colour (8 of them differ); "
        "own: those of the mode, see below",
    )
    parser.add_argument(
        "--setting",
        type=int,
        nargs=2,
        metavar=("BLOCK", "DISPARITIES"),
        help="the published matcher of this block size and range, for mode single",
    )
    parser.epilog = (
        "`consistent` is a semi-global matcher of our own, better than the others and cheaper than "
        "all but `single` (benchmarks/hints.md). Its confidence, in the folder "
        "confidence, says how far a hint beats the second best disparity and the picture as it "
        "stands; --fill gives every pixel a hint, those of confidence 0 from their neighbours."
        " The other modes use "
        "OpenCV's matchers. The paper matches in colour along five directions with blocks 1, 2, 3 "
        "and ranges 64, 96, 128, 160, and lets missing disparities win: that is `--mode published "
        "--matchers published`. `valid` runs four matchers (blocks 1 and 3, ranges 64 and 160) on "
        "brightness along three directions, which leaves fewer wrong and missing hints at a tenth "
        "of the cost from file to file; `published` searches ranges 96 and 128 near the border "
        "only (98 % of the hints are the same); `single` is block 3, range 64 of those of `valid`. "
        "To compare fused, random and single hints as the paper does, give all of them the "
        "published matchers: `--mode valid --matchers published`, `--mode random`, `--mode single "
        "--setting 3 64`."
    )
    parser.add_argument(
        "--disparities",
        type=int,
        default=256,
        help="most that mode consistent searches, a multiple of 4 up to 256; where nothing is near "
        "it searches less by itself",
    )
    parser.add_argument("--fill", action="store_true", help="no holes, in mode consistent")
    parser.add_argument("--width", type=int, default=1024, help="at which pairs are matched")
    parser.add_argument("--height", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0, help="of mode random")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    parser.add_argument(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="have the work done by the Dask cluster of this scheduler, on a shared file system",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="make every hint anew, also where there is one of another method or of other images",
    )
    parser.add_argument(
        "--report",
        action="store_true",
        help="write report.html beside the hints: is the rig rectified, where are hints, how good",
    )
    parser.add_argument(
        "--unchecked",
        action="store_true",
        help="go on where the sides look swapped or the pairs not rectified",
    )


def _add_source(parser: Any) -> None:
    parser.add_argument(
        "--source",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting of the data set's kind, e.g. cameras=[CAMERA_05] of DDAD",
    )


def _add_recipes(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.recipes)
    parser.add_argument("recipe", nargs="?", help="name of the recipe to print")


def _add_train(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.train)
    parser.add_argument("recipe", help="name of a recipe (see `leadline recipes`) or a YAML file")
    parser.add_argument("data", type=Path, help="folder of the data set, or a list of images")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; resumed if there"
    )
    parser.add_argument("--hints", type=Path, help="folder of hints made by `leadline hints`")
    parser.add_argument("--init-from", type=Path, help="model folder whose weights to start from")
    parser.add_argument("--weights", help="of the backbones at the start: hub, none or a folder")
    parser.add_argument(
        "--extractor",
        type=Path,
        help="model folder of `featdepth_autoencoder`, for recipes that compare its features",
    )
    parser.add_argument("--overfit", type=int, metavar="N", help="learn N frames by heart: a check")
    parser.epilog = "Anything in the recipe can be overridden: --data.batch_size=4 --run.epochs=5"


def _add_evaluate(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.evaluate)
    parser.add_argument("model", type=Path, nargs="?", help="model folder")
    parser.add_argument(
        "data", type=Path, nargs="?", help="data set with true depth, or a list of images"
    )
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    parser.add_argument(
        "--split",
        type=Path,
        help="file of frames, or a list of the data set (train, val); default: all left with truth",
    )
    _add_source(parser)
    parser.add_argument(
        "--protocol", default="eigen", help="eigen, improved, ddad, cityscapes, none, ..."
    )
    parser.add_argument("--scale", help="none, median or a factor; default: none where metric")
    parser.add_argument("--flip", action="store_true", help="blend with the mirrored picture")
    parser.add_argument(
        "--refine", type=int, metavar="N", help="refine the network by N iterations per sample"
    )
    parser.add_argument("--refine-per", choices=["sample", "sequence"], help="default: sample")
    parser.add_argument("--refine-prior", type=float, help="see `leadline refine`; default: 0.05")
    parser.add_argument("--hints", type=Path, help="folder of hints, for --refine")
    parser.add_argument(
        "--poses",
        action="store_true",
        help="score the motions that the model sees too, against recorded poses",
    )
    parser.add_argument("--predictions", type=Path, help="score these depth maps instead")
    parser.add_argument("--truth", type=Path, help="folder of true depth maps")
    parser.add_argument("--divide", type=float, help="units per metre of others' PNG predictions")
    parser.add_argument("--truth-divide", type=float, help="same of PNG truth; default: 256")
    parser.add_argument(
        "--photographs", type=Path, help="folder of the pictures, to be shown beside --predictions"
    )
    parser.add_argument(
        "--movable",
        type=Path,
        help="folder of masks, not black where things can move: says how much of them is seen near "
        "infinity (a synthetic world needs none)",
    )


def _add_compare(subparsers: Any) -> None:
    parser = _verb(subparsers, verbs.compare)
    parser.add_argument(
        "evaluations",
        type=Path,
        nargs="+",
        help="folders of `leadline evaluate`; the others are compared with the first",
    )
    parser.add_argument(
        "--names",
        type=lambda text: [name.strip() for name in text.split(",")],
        help="what tables call them: one name for each, commas between",
    )
    parser.add_argument("--out", type=Path, default=Path("comparison"))


def _add_predict(subparsers: Any) -> None:
    parser = _verb(subparsers, prediction_verbs.predict)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("inputs", nargs="+", help="images, folders or globs")
    parser.add_argument("--out", type=Path, default=Path("predictions"))
    _add_outputs(parser)
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument(
        "--refine",
        type=int,
        metavar="N",
        help="let the network look at each picture and its neighbours N times more before it "
        "predicts it: of one folder, a sequence with a camera.yaml or a data set; see "
        "`leadline refine`",
    )


def _add_refine(subparsers: Any) -> None:
    parser = _verb(subparsers, prediction_verbs.refine)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("sequence", type=Path, help="data set: pairs, or a sequence of frames")
    parser.add_argument("--out", type=Path, default=Path("refined"))
    parser.add_argument(
        "--split", type=Path, help="file of frames, or a list of the data set; default: every image"
    )
    _add_source(parser)
    parser.add_argument("--iterations", type=int, default=20)
    parser.add_argument(
        "--per",
        default="sample",
        choices=["sample", "sequence"],
        help="sample: every frame starts from the trained weights; sequence: the network looks at "
        "all frames of a sequence before it predicts them",
    )
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--batch-size", type=int, default=2, help="frames a step, per sequence")
    parser.add_argument("--seed", type=int, default=0, help="of the order, per sequence")
    parser.add_argument(
        "--prior",
        type=float,
        default=0.05,
        help="how strongly depth is held to that of MODEL where a frame has no picture of the same "
        "time beside it; 0: not at all, as in the paper",
    )
    parser.add_argument("--hints", type=Path, help="folder of hints, where the recipe has them")
    _add_outputs(parser)
    parser.epilog = (
        "The weights of MODEL are never changed. A frame whose loss does not fall is predicted by "
        "them. refinement.csv holds the loss of each frame before and after. What can only be had "
        "with truth is left out of the objective; `leadline evaluate --refine N` scores the result."
    )


def _add_trajectory(subparsers: Any) -> None:
    parser = _verb(subparsers, prediction_verbs.trajectory)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("sequence", type=Path, help="data set: one sequence of frames or several")
    parser.add_argument("--out", type=Path, default=Path("trajectory"))
    parser.add_argument(
        "--split",
        type=Path,
        help="file of frames, or a list of the data set, whose sequences are meant; default: all",
    )
    _add_source(parser)
    parser.add_argument("--device", help="default: a GPU if there is one")
    parser.epilog = (
        "tum/ and kitti/ hold a file for each path, report.html plots of those whose poses were "
        "recorded, trajectory.json their figures. A path has a frame for every step between a "
        "frame and its neighbour in the recipe; a gap begins another."
    )


def _add_outputs(parser: Any) -> None:
    parser.add_argument(
        "--outputs",
        nargs="+",
        choices=["millimetres", "kitti", "npy", "colour"],
        help="default: millimetres and colour, or npy and colour where the model is not metric",
    )
    parser.add_argument("--flip", action="store_true", help="blend with the mirrored picture")
    parser.add_argument("--device", help="cpu, cuda, ...; default: a GPU if there is one")
    parser.add_argument("--range", type=float, nargs=2, metavar=("NEAR", "FAR"), help="of colours")
