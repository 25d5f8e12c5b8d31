"""The verbs that predict: with a network as it was trained, or refined on what it predicts."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leadline.cli.progress import progress
from leadline.cli.verbs import refuse_inside

if TYPE_CHECKING:
    from leadline.inference.predict_files import PredictionSummary
    from leadline.inference.refine import RefineSettings


def predict(options: argparse.Namespace) -> int:
    """Depth of photographs."""
    from leadline.colour import DepthScale
    from leadline.inference.photographs import find_photographs
    from leadline.inference.predict_files import default_outputs, predict_files
    from leadline.inference.predictor import DepthPredictor

    if options.refine is not None:
        return _predict_refined(options)
    # Before the network is built: a wrong path is answered at once.
    find_photographs(options.inputs, options.out)
    model = DepthPredictor.load(options.model, flip=options.flip, device=options.device)
    if model.looks_at_sources:
        if options.batch_size == 1 and _is_one_folder(options.inputs):
            return _predict_frames(options, Path(options.inputs[0]), None)
        print(
            "leadline: of pictures one by one this network says what it sees before it compares "
            "them; give one folder with a sequence, and no --batch-size, for more",
            file=sys.stderr,
        )
    scale = DepthScale(*options.range) if options.range else None
    with progress("images") as advance:
        summary = predict_files(
            model,
            options.model,
            options.inputs,
            options.out,
            options.outputs or default_outputs(model.config.metric),
            batch_size=options.batch_size,
            scale=scale,
            progress=advance,
        )
    print(f"{summary.written} predicted, {summary.kept} kept, {len(summary.failed)} failed")
    return _say_how_predicted(summary, model.config.metric)


def _is_one_folder(inputs: Sequence[str]) -> bool:
    return len(inputs) == 1 and Path(inputs[0]).is_dir()


def _say_how_predicted(summary: "PredictionSummary", metric: bool) -> int:
    for message in summary.failed.values():
        print(f"leadline: {message}", file=sys.stderr)
    print(f"metric: {'metres' if metric else 'no: right up to one unknown factor'}")
    if summary.beyond:
        print(f"{summary.beyond} pixels were too far for 16 bits and are 0; use npy for those")
    return 1 if summary.failed else 0


def _predict_refined(options: argparse.Namespace) -> int:
    """`predict --refine`: what `refine` does with its own settings."""
    from leadline.inference.refine import RefineSettings

    if not _is_one_folder(options.inputs):
        raise ValueError(
            "--refine: expected one folder with a sequence or pairs, whose neighbours are looked "
            f"at, got {' '.join(options.inputs)}"
        )
    if options.batch_size != 1:
        raise ValueError(f"--batch-size: expected 1 beside --refine, got {options.batch_size}")
    settings = RefineSettings(options.refine)
    return _predict_frames(options, Path(options.inputs[0]), settings)


def refine(options: argparse.Namespace) -> int:
    """Depth of a sequence by a network that goes on learning on it first."""
    from leadline.inference.refine import RefineSettings

    settings = RefineSettings(
        options.iterations,
        options.per,
        options.learning_rate,
        options.batch_size,
        options.seed,
        options.prior,
    )
    return _predict_frames(
        options, options.sequence, settings, options.split, options.source, options.hints
    )


def trajectory(options: argparse.Namespace) -> int:
    """The camera's path through each sequence, by the motions that a network sees."""
    from leadline.data.sources.detect import open_source
    from leadline.data.splits import split_frames
    from leadline.evaluation.motion import summary_lines
    from leadline.evaluation.paths import predict_paths, write_page

    refuse_inside(options.out, options.sequence)
    source = open_source(options.sequence, options.source)
    frames = split_frames(source, options.split) if options.split else source.frames
    with progress("frames") as advance:
        found = predict_paths(options.model, source, frames, options.out, options.device, advance)
    write_page(found, options.out)
    for reason in dict.fromkeys(found.failed.values()):
        print(f"leadline: {reason}", file=sys.stderr)
    print(found)
    print("\n".join(summary_lines(found.scores)))
    return 1 if found.failed else 0


def _predict_frames(
    options: argparse.Namespace,
    data: Path,
    settings: "RefineSettings | None",
    split: Path | None = None,
    source_settings: Sequence[str] = (),
    hints: Path | None = None,
) -> int:
    """By a network that looks at neighbours, or is refined on them first if there are settings."""
    from leadline.colour import DepthScale
    from leadline.data.sources.detect import open_source
    from leadline.data.splits import split_frames
    from leadline.inference.frames import (
        FramePredictor,
        NeighbourPrediction,
        frame_reader,
        photographs_of,
        predict_frames,
    )
    from leadline.inference.predict_files import default_outputs, prediction_settings
    from leadline.inference.refine_frames import FrameRefinement, described

    refuse_inside(options.out, data)
    source = open_source(data, source_settings)
    frames = source.frames if split is None else split_frames(source, split)
    reader = frame_reader(options.model, source, frames, hints, options.flip, device=options.device)
    predictor: FramePredictor = (
        NeighbourPrediction(reader) if settings is None else FrameRefinement(reader, settings)
    )
    manner = described(reader, settings, source_settings)
    metric = reader.model.config.metric
    with progress("images") as advance:
        summary = predict_frames(
            predictor,
            prediction_settings(reader.model, options.model, manner=manner),
            photographs_of(source, frames),
            options.out,
            options.outputs or default_outputs(metric),
            DepthScale(*options.range) if options.range else None,
            advance,
        )
    print(summary)
    return _say_how_predicted(summary.predictions, metric)
