"""The command line: one thin function per verb, which calls the room that does the work.

Heavy imports live inside the verbs, so that `leadline --help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from leadline import __version__

EXIT_USAGE = 2
EXIT_INTERRUPTED = 130
"""What a shell reports of a program ended by Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; whatever a user can cause ends in one clear line, never in a traceback."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if rest and options.verb is not train:
        parser.error(f"unknown argument {rest[0]}; see `leadline {options.name} --help`")
    options.overrides = rest
    try:
        return int(options.verb(options) or 0)
    except KeyboardInterrupt:
        print("leadline: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (ValueError, OSError, RuntimeError, ImportError) as error:
        if os.environ.get("LEADLINE_TRACEBACK"):
            raise
        print(f"leadline: {_one_line(error)}", file=sys.stderr)
        return EXIT_USAGE


def _one_line(error: BaseException) -> str:
    text = " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        return f"{where}{error.strerror}; check the path, its rights and the space on the disk"
    return text or type(error).__name__


def synthetic(options: argparse.Namespace) -> None:
    """Write the synthetic stereo world."""
    from leadline.data.synthetic.generate import generate
    from leadline.data.synthetic.settings import WorldSettings

    settings = WorldSettings(
        drives=options.drives,
        frames=options.frames,
        size=(options.width, options.height),
        seed=options.seed,
    )
    with _progress("frames") as advance:
        print(generate(options.out, settings, progress=advance))


def hints(options: argparse.Namespace) -> int:
    """Match the stereo pairs of a data set into hints."""
    from leadline.data.sources.detect import open_source
    from leadline.data.splits import read_split
    from leadline.hints.generate import generate_hints
    from leadline.hints.jobs import source_jobs
    from leadline.hints.match import MatcherSetting
    from leadline.hints.method import HintMethod

    source = open_source(options.data)
    found = source_jobs(source, read_split(options.split) if options.split else None)
    if found.unpaired:
        first = found.unpaired[0]
        print(f"{len(found.unpaired)} images have no partner and get no hint, first: {first}")
    settings = (MatcherSetting(*options.setting),) if options.setting else ()
    size = (options.height, options.width)
    method = HintMethod(options.mode, settings, size, options.seed)
    folder = options.out or options.data / "hints"
    summary = generate_hints(
        found.jobs, folder, method, workers=options.workers, overwrite=options.overwrite
    )
    print(summary)
    print(f"hints: {folder}, contact sheet: {folder / 'contact_sheet.png'}")
    return 1 if summary.failures else 0


def train(options: argparse.Namespace) -> None:
    """Train a recipe on a data set, or go on with a run."""
    from leadline.data.sources.detect import source_config
    from leadline.inference.model_callback import ModelFolder
    from leadline.inference.model_folder import load_weights
    from leadline.training.recipe import as_yaml, build, read_recipe
    from leadline.training.run import fit

    data_section: dict[str, Any] = {"source": source_config(options.data)}
    if options.hints is not None:
        data_section["hints"] = str(options.hints)
    overrides = [*_overfitting(options.overfit), *options.overrides]
    config = read_recipe(options.recipe, {"data": data_section}, overrides)
    data, module, settings = build(config)
    if options.init_from is not None:
        load_weights(module.predictor, options.init_from)
    print(module.objective)
    text = as_yaml(config)
    model = ModelFolder(options.out / "model", Path(options.recipe).stem, text)
    fit(module, data, settings, options.out, text, [model])
    print(f"model: {model.folder}")


def _overfitting(count: int | None) -> list[str]:
    """Settings under which a few frames must be learned by heart: a check of the installation."""
    if count is None:
        return []
    return [
        f"--data.limit={count}",
        f"--data.batch_size={count}",
        "--data.val_share=0",
        "--data.flip=none",
        "--data.jitter=false",
    ]


def evaluate(options: argparse.Namespace) -> None:
    """Score a model on a data set, or anyone's predictions against truth."""
    from rich.console import Console

    from leadline.evaluation.run import evaluate_folders, evaluate_model
    from leadline.evaluation.table import evaluation_table

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
        )
    else:
        if options.model is None or options.data is None:
            raise ValueError("expected MODEL and DATA, or --predictions and --truth; see --help")
        with _progress("images") as advance:
            evaluation = evaluate_model(
                options.model,
                options.data,
                options.out,
                split=options.split,
                protocol=options.protocol,
                alignment=options.scale,
                flip=options.flip,
                progress=advance,
            )
    Console().print(evaluation_table(evaluation))
    print(f"report: {options.out / 'report.html'}")


def predict(options: argparse.Namespace) -> int:
    """Depth of photographs."""
    from leadline.colour import DepthScale
    from leadline.inference.predict_files import predict_files
    from leadline.inference.predictor import DepthPredictor

    model = DepthPredictor.load(options.model, flip=options.flip, device=options.device)
    scale = DepthScale(*options.range) if options.range else None
    with _progress("images") as advance:
        summary = predict_files(
            model,
            options.model,
            options.inputs,
            options.out,
            options.outputs,
            batch_size=options.batch_size,
            scale=scale,
            progress=advance,
        )
    for message in summary.failed.values():
        print(f"leadline: {message}", file=sys.stderr)
    unit = "metres" if model.config.metric else "no: right up to one unknown factor"
    print(f"{summary.written} predicted, {summary.kept} kept, {len(summary.failed)} failed")
    print(f"metric: {unit}")
    if summary.beyond:
        print(f"{summary.beyond} pixels were too far for 16 bits and are 0; use npy for those")
    return 1 if summary.failed else 0


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

    run_demo(options.out, quick=options.quick)


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar that is told (done, total); silent where nobody watches."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, disable=not sys.stderr.isatty(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="leadline",
        description="Train a camera to see depth in metres, and measure and ship what it learned.",
    )
    parser.add_argument("--version", action="version", version=f"leadline {__version__}")
    verbs = parser.add_subparsers(dest="name", required=True, metavar="VERB")
    for add in (
        _add_demo,
        _add_synthetic,
        _add_hints,
        _add_recipes,
        _add_train,
        _add_evaluate,
        _add_predict,
    ):
        add(verbs)
    return parser


def _verb(verbs: Any, function: Callable[[argparse.Namespace], int | None]) -> Any:
    text = (function.__doc__ or "").strip()
    parser = verbs.add_parser(function.__name__, help=text.splitlines()[0], description=text)
    parser.set_defaults(verb=function)
    return parser


def _add_demo(verbs: Any) -> None:
    parser = _verb(verbs, demo)
    parser.add_argument("--out", type=Path, default=Path("demo"), help="folder of the results")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that it runs")


def _add_synthetic(verbs: Any) -> None:
    parser = _verb(verbs, synthetic)
    parser.add_argument("out", type=Path, help="folder to write the world to, KITTI raw layout")
    parser.add_argument("--drives", type=int, default=6)
    parser.add_argument("--frames", type=int, default=20, help="per drive")
    parser.add_argument("--width", type=int, default=640)
    parser.add_argument("--height", type=int, default=192)
    parser.add_argument("--seed", type=int, default=0)


def _add_hints(verbs: Any) -> None:
    parser = _verb(verbs, hints)
    parser.add_argument("data", type=Path, help="folder of stereo pairs")
    parser.add_argument("--out", type=Path, help="folder of the hints (default: DATA/hints)")
    parser.add_argument("--split", type=Path, help="file of frames; default: every image")
    parser.add_argument(
        "--mode",
        default="valid",
        choices=["valid", "published", "single", "random"],
        help="how candidates are fused; `published` lets missing ones win, as the paper's code",
    )
    parser.add_argument(
        "--setting", type=int, nargs=2, metavar=("BLOCK", "DISPARITIES"), help="of mode single"
    )
    parser.add_argument("--width", type=int, default=1024, help="at which pairs are matched")
    parser.add_argument("--height", type=int, default=320)
    parser.add_argument("--seed", type=int, default=0, help="of mode random")
    parser.add_argument("--workers", type=int, help="processes; default: one per core")
    parser.add_argument("--overwrite", action="store_true", help="replace hints of another method")


def _add_recipes(verbs: Any) -> None:
    parser = _verb(verbs, recipes)
    parser.add_argument("recipe", nargs="?", help="name of the recipe to print")


def _add_train(verbs: Any) -> None:
    parser = _verb(verbs, train)
    parser.add_argument("recipe", help="name of a recipe (see `leadline recipes`) or a YAML file")
    parser.add_argument("data", type=Path, help="folder of the data set")
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the run; resumed if there"
    )
    parser.add_argument("--hints", type=Path, help="folder of hints made by `leadline hints`")
    parser.add_argument("--init-from", type=Path, help="model folder whose weights to start from")
    parser.add_argument("--overfit", type=int, metavar="N", help="learn N frames by heart: a check")
    parser.epilog = "Anything in the recipe can be overridden: --data.batch_size=4 --run.epochs=5"


def _add_evaluate(verbs: Any) -> None:
    parser = _verb(verbs, evaluate)
    parser.add_argument("model", type=Path, nargs="?", help="model folder")
    parser.add_argument("data", type=Path, nargs="?", help="data set with true depth")
    parser.add_argument("--out", type=Path, default=Path("evaluation"))
    parser.add_argument("--split", type=Path, help="file of frames; default: all left with truth")
    parser.add_argument("--protocol", default="eigen", help="eigen, eigen_50, improved, none, ...")
    parser.add_argument("--scale", help="none, median or a factor; default: none where metric")
    parser.add_argument("--flip", action="store_true", help="blend with the mirrored picture")
    parser.add_argument("--predictions", type=Path, help="score these depth maps instead")
    parser.add_argument("--truth", type=Path, help="folder of true depth maps")
    parser.add_argument("--divide", type=float, help="units per metre of PNG predictions")
    parser.add_argument("--truth-divide", type=float, default=256, help="same of PNG truth")


def _add_predict(verbs: Any) -> None:
    parser = _verb(verbs, predict)
    parser.add_argument("model", type=Path, help="model folder")
    parser.add_argument("inputs", nargs="+", help="images, folders or globs")
    parser.add_argument("--out", type=Path, default=Path("predictions"))
    parser.add_argument(
        "--outputs",
        nargs="+",
        default=["millimetres", "colour"],
        choices=["millimetres", "kitti", "npy", "colour"],
    )
    parser.add_argument("--flip", action="store_true", help="blend with the mirrored picture")
    parser.add_argument("--batch-size", type=int, default=1)
    parser.add_argument("--device", help="cpu, cuda, ...; default: a GPU if there is one")
    parser.add_argument("--range", type=float, nargs=2, metavar=("NEAR", "FAR"), help="of colours")


if __name__ == "__main__":
    sys.exit(main())
