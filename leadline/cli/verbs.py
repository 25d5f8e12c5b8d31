"""The verbs: each calls the room that does the work, and prints what came of it.

Heavy imports live inside the verbs, so that `leadline --help` answers at once.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leadline.cli.progress import progress

if TYPE_CHECKING:
    from leadline.hints.consistent import ConsistentSetting
    from leadline.hints.match import MatcherSetting
    from leadline.hints.pair import HintJob
    from leadline.hints.rectification import RigCheck

DEFAULT_HINTS = "hints"
"""Folder within a data set that its source knows to hold no photographs."""
DOUBTFUL_SHARE = 0.5
"""Of the pixels that have a hint which explains them better than no motion at all: right pairs of
streets give 0.7 and more, swapped ones 0.4 and less."""


def synthetic(options: argparse.Namespace) -> None:
    """Write the synthetic stereo world."""
    from leadline.data.synthetic.generate import generate
    from leadline.data.synthetic.settings import WorldSettings

    settings = WorldSettings(
        drives=options.drives,
        frames=options.frames,
        size=(options.width, options.height),
        seed=options.seed,
        plain=options.plain,
        exposure_drift=options.exposure_drift,
        one_rig=options.one_rig,
    )
    with progress("frames") as advance:
        print(generate(options.out, settings, progress=advance))


def hints(options: argparse.Namespace) -> int:
    """Match the stereo pairs of a data set into hints."""
    from leadline.data.sources.detect import open_source
    from leadline.data.splits import split_frames
    from leadline.hints.generate import check_hands, generate_hints
    from leadline.hints.jobs import no_pairs, source_jobs, without_partner
    from leadline.hints.method import HintMethod
    from leadline.hints.metres import metre_pixels
    from leadline.hints.report import write_report
    from leadline.hints.sheet import SHEET_NAME

    check_hands(options.workers, options.scheduler)
    source = open_source(options.data, options.source)
    found = source_jobs(source, split_frames(source, options.split) if options.split else None)
    if not found.jobs:
        raise ValueError(f"{options.data}: {no_pairs(source, found)}")
    if found.unpaired:
        print(f"leadline: no hint for {without_partner(source, found)}", file=sys.stderr)
    size = (options.height, options.width)
    method = HintMethod(options.mode, _matchers(options), size, options.seed, _consistent(options))
    folder = options.out or options.data / DEFAULT_HINTS
    if folder.resolve() != (options.data / DEFAULT_HINTS).resolve():
        refuse_inside(folder, options.data)
    check = _checked_rig(found.jobs, size, options)
    with progress("pairs") as advance:
        summary = generate_hints(
            found.jobs,
            folder,
            method,
            workers=options.workers,
            scheduler=options.scheduler,
            overwrite=options.overwrite,
            progress=advance,
            tell=_say,
        )
    print(summary)
    made = summary.written + summary.skipped
    explained = summary.coverage * summary.beats_identity
    if made and explained < DOUBTFUL_SHARE:
        print(
            f"leadline: only {explained:.0%} of the pixels have a hint that explains them better "
            "than no depth at all: are left and right swapped, the pairs not rectified, or things "
            "nearer than the range searched? Look at the contact sheet before training",
            file=sys.stderr,
        )
    if options.report and made:
        metres = metre_pixels(source, options.width)
        print(f"report: {write_report(found.jobs, folder, method, check, metres, _say)}")
    sheet = f", contact sheet: {folder / SHEET_NAME}" if made else ""
    print(f"hints: {folder}{sheet}")
    return 1 if summary.failures else 0


def _say(message: str) -> None:
    print(f"leadline: {message}", file=sys.stderr, flush=True)


def _checked_rig(
    jobs: Sequence["HintJob"], size: tuple[int, int], options: argparse.Namespace
) -> "RigCheck":
    """What a few pairs say of the rig, told before hours of matching; a useless one is refused."""
    from leadline.hints.rectification import FEW_PAIRS, REPORT_PAIRS, check_rig

    pairs = REPORT_PAIRS if options.report else FEW_PAIRS
    with progress("pairs looked at") as advance:
        check = check_rig(jobs, size, pairs, advance)
    verdict = check.verdict
    if verdict.severity == "useless" and not options.unchecked:
        raise ValueError(f"{options.data}: {verdict.text}; or go on as it is by --unchecked")
    if verdict.severity in ("useless", "doubtful"):
        _say(verdict.text)
    else:
        print(f"rig: {verdict.text}", flush=True)
    return check


def _consistent(options: argparse.Namespace) -> "ConsistentSetting":
    """The settings of the mode consistent that were asked for."""
    from leadline.hints.consistent import RANGE_MULTIPLE, ConsistentSetting
    from leadline.hints.semi_global import MOST_DISPARITIES, SemiGlobalSetting

    if options.disparities % RANGE_MULTIPLE or not 0 < options.disparities <= MOST_DISPARITIES:
        raise ValueError(
            f"--disparities: expected a multiple of {RANGE_MULTIPLE} up to {MOST_DISPARITIES}, got "
            f"{options.disparities}"
        )
    matching = SemiGlobalSetting(num_disparities=options.disparities)
    setting = ConsistentSetting(matching, fill=options.fill)
    if options.mode != "consistent" and setting != ConsistentSetting():
        name = "--fill" if options.fill else "--disparities"
        raise ValueError(f"{name}: is for --mode consistent, got --mode {options.mode}")
    return setting


def _matchers(options: argparse.Namespace) -> tuple["MatcherSetting", ...]:
    """The matchers that were asked for; none where those of the mode are meant."""
    from leadline.hints.match import PUBLISHED_SETTINGS, MatcherSetting

    if options.setting is not None:
        if options.mode != "single":
            raise ValueError(f"--setting: is for --mode single, got --mode {options.mode}")
        return (MatcherSetting(*options.setting),)
    if options.matchers == "own":
        return ()
    if options.mode == "consistent":
        raise ValueError("--matchers: is for the modes of OpenCV's matchers, got --mode consistent")
    return PUBLISHED_SETTINGS


def train(options: argparse.Namespace) -> None:
    """Train a recipe on a data set, or go on with a run."""
    from leadline.recipes import recipe_names

    # A folder may bear a recipe's name: `leadline demo` leaves one called demo.
    if options.recipe not in recipe_names() and Path(options.recipe).is_dir():
        raise ValueError(
            f"recipe: expected a name or a YAML file, got the folder {options.recipe}; "
            "the recipe comes first: leadline train RECIPE DATA --out RUN"
        )
    from lightning.pytorch.utilities import rank_zero_only

    from leadline.inference.train_model import train_model
    from leadline.training.curves import read_curves
    from leadline.training.run_folder import CURVES

    # Of several processes one speaks.
    say = rank_zero_only(print)
    refuse_inside(options.out, options.data)
    config = _training_config(options)
    model = train_model(config, Path(options.recipe).stem, options.out)
    losses = [row for row in read_curves(options.out / CURVES) if row[1] == "train/loss"]
    if options.overfit is not None and losses:
        (first, _, before), (last, _, after) = losses[0], losses[-1]
        say(f"loss: {before:.4f} at step {first}, {after:.4f} at step {last}")
    say(f"model: {model}")


def _training_config(options: argparse.Namespace) -> Any:
    """The recipe, on this data, with what the command line wants otherwise."""
    from leadline.data.sources.detect import source_config
    from leadline.training.overrides import backbone_weights, extractor, overfitting
    from leadline.training.recipe import read_recipe
    from leadline.training.run_folder import recorded_extractor, recorded_start

    section: dict[str, Any] = {"source": source_config(options.data)}
    if options.hints is not None:
        section["hints"] = str(options.hints.resolve())
    start = recorded_start(options.out)
    if options.init_from is not None:
        start = str(options.init_from.resolve())
    started = [] if start is None else [f"--run.init_from={start}"]
    overrides = [
        *(overfitting(options.overfit) + started + recorded_extractor(options.out)),
        *options.overrides,
    ]
    config = read_recipe(options.recipe, {"data": section}, overrides)
    if options.extractor is not None and options.init_from is not None:
        raise ValueError(
            "--extractor: expected none beside --init-from, whose model brings its own features; "
            "leave one out"
        )
    own = extractor(config.model.predictor.as_dict(), options.extractor)
    if own:
        # Last: an override may name the class of the extractor, which its arguments follow.
        overrides = [*overrides, *own]
        config = read_recipe(options.recipe, {"data": section}, overrides)
    # Weights that are about to be replaced need not be fetched from anywhere.
    weights = options.weights or ("none" if config.run.init_from is not None else None)
    if weights is None:
        return config
    wanted = backbone_weights(config.model.predictor.as_dict(), weights)
    if options.weights is not None and not wanted:
        raise ValueError("--weights: this recipe's networks take none; leave it out")
    return read_recipe(options.recipe, {"data": section}, [*wanted, *overrides])


def refuse_inside(out: Path, data: Path) -> None:
    if out.resolve().is_relative_to(data.resolve()):
        raise ValueError(
            f"--out: expected a folder outside the data set {data}, whose images its pictures "
            f"would join, got {out}"
        )


def evaluate(options: argparse.Namespace) -> None:
    """Score a model on a data set, or anyone's predictions against truth."""
    from rich.console import Console

    from leadline.evaluation.run import evaluate_folders, evaluate_model
    from leadline.evaluation.table import evaluation_table
    from leadline.inference.refine import RefineSettings

    for name in ("hints", "refine_per", "refine_prior"):
        if getattr(options, name) is not None and options.refine is None:
            raise ValueError(f"--{name.replace('_', '-')}: expected --refine N beside it, got none")
    if options.poses and options.refine is not None:
        raise ValueError(
            "--poses: expected no --refine beside it, got both: motions are those of the trained "
            "network; give two commands"
        )
    _refuse_mixture(options)
    if options.predictions is not None:
        if options.truth is None:
            raise ValueError("--predictions: expected --truth FOLDER beside it, got none")
        evaluation = evaluate_folders(
            options.predictions,
            options.truth,
            options.out,
            protocol=options.protocol,
            alignment=options.scale or "none",
            divide=options.divide,
            truth_divide=options.truth_divide,
            photographs=options.photographs,
            movable=options.movable,
        )
    else:
        if options.model is None or options.data is None:
            raise ValueError(
                "expected MODEL and DATA, or --predictions and --truth; see "
                "`leadline evaluate --help`"
            )
        refuse_inside(options.out, options.data)
        with progress("images") as advance:
            evaluation = evaluate_model(
                options.model,
                options.data,
                options.out,
                split=options.split,
                source_settings=options.source,
                protocol=options.protocol,
                alignment=options.scale,
                flip=options.flip,
                movable=options.movable,
                refine=(
                    None
                    if options.refine is None
                    else RefineSettings(
                        options.refine,
                        options.refine_per or "sample",
                        prior=RefineSettings.prior
                        if options.refine_prior is None
                        else options.refine_prior,
                    )
                ),
                hints=options.hints,
                poses=options.poses,
                progress=advance,
            )
    Console().print(evaluation_table(evaluation))
    print(f"report: {options.out / 'report.html'}")


def compare(options: argparse.Namespace) -> None:
    """Set evaluations side by side, on the images that all of them scored."""
    from rich.console import Console

    from leadline.evaluation.compare import compare as compare_evaluations
    from leadline.evaluation.compare_page import (
        comparison_csv,
        comparison_page,
        comparison_table,
    )
    from leadline.files import atomic_path
    from leadline.report.page import save_page

    comparison = compare_evaluations(options.evaluations, options.names or ())
    Console().print(comparison_table(comparison))
    options.out.mkdir(parents=True, exist_ok=True)
    with atomic_path(options.out / "comparison.csv") as temporary:
        temporary.write_text(comparison_csv(comparison), encoding="utf-8")
    save_page(comparison_page(comparison), options.out / "comparison.html")
    print(f"comparison: {options.out / 'comparison.html'}")


def _refuse_mixture(options: argparse.Namespace) -> None:
    """What one of the two kinds of evaluation would not even look at is a misunderstanding."""
    foreign: tuple[str, ...]
    if options.predictions is not None:
        scored, foreign = "--predictions", ("model", "split", "source", "flip", "refine", "poses")
    elif options.model is not None:
        scored, foreign = "MODEL", ("truth", "divide", "truth_divide", "photographs")
    else:
        return
    for name in foreign:
        if getattr(options, name) not in (None, False, []):
            word = "MODEL" if name == "model" else f"--{name.replace('_', '-')}"
            raise ValueError(
                "expected either MODEL and DATA or --predictions and --truth, got "
                f"{scored} beside {word}; leave one out"
            )


def recipes(options: argparse.Namespace) -> None:
    """List the recipes, or print one."""
    from leadline.recipes import recipe_names, recipe_text

    if options.recipe is not None:
        print(recipe_text(options.recipe), end="")
        return
    for name in recipe_names():
        print(f"{name:28s}{recipe_text(name).splitlines()[0].removeprefix('# ')}")


def demo(options: argparse.Namespace) -> None:
    """The whole chain on the synthetic world: make it, hints, train, evaluate, report."""
    from leadline.demo import run_demo

    run_demo(options.out, quick=options.quick, progress=progress)
