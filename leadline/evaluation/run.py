"""One evaluation in a folder of its own: predictions, truth, `results.json`, `report.html`."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from leadline.data.sources.detect import open_source
from leadline.data.splits import split_frames
from leadline.evaluation.alignment import Alignment
from leadline.evaluation.export import export_frames, export_predictions
from leadline.evaluation.infinite import infinite_shares
from leadline.evaluation.movable import LabelsOf, mask_labels, world_labels
from leadline.evaluation.page import evaluation_page
from leadline.evaluation.panels import find_photographs
from leadline.evaluation.paths import scored_motion
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.protocol import named_protocol
from leadline.evaluation.results import Evaluation
from leadline.evaluation.score import score_folders
from leadline.evaluation.truth import export_truth, frames_with_truth
from leadline.files import atomic_path, remove_leftovers
from leadline.inference.frames import FramePredictor, NeighbourPrediction, frame_reader
from leadline.inference.predict_files import prediction_settings
from leadline.inference.predictor import DepthPredictor
from leadline.inference.refine import RefineSettings
from leadline.inference.refine_frames import FrameRefinement, described
from leadline.report.elements import Section
from leadline.report.page import save_page

RESULTS, REPORT = "results.json", "report.html"
PREDICTIONS, TRUTH, TRAJECTORY = "predictions", "truth", "trajectory"
SUBJECT = "evaluation.json"
"""Names the model and the data set that a folder is about."""


def evaluate_model(
    model_folder: Path,
    data: Path,
    out: Path,
    *,
    split: Path | None = None,
    source_settings: Sequence[str] = (),
    protocol: str = "eigen",
    alignment: str | None = None,
    flip: bool = False,
    movable: Path | None = None,
    refine: RefineSettings | None = None,
    hints: Path | None = None,
    poses: bool = False,
    extra: Callable[[Path, Path], Sequence[Section]] = lambda predictions, truth: (),
    progress: Callable[[int, int], None] = lambda done, total: None,
    say: Callable[[str], None] = print,
) -> Evaluation:
    """Predict every frame with truth, then score the predictions and write the report.

    `split` is a file of frames or the name of a list that the data set brings, `source_settings`
    as `open_source` has them. The protocol chooses among the kinds of truth of a data set, and how
    predictions are brought to its size. What an earlier, interrupted call
    predicted is kept. `extra` makes further sections of the report from the folders of predictions
    and truth. Without an `alignment`, a metric model is scored as it is and any other by the
    median. `say` hears what the data lack, and which frames are left out. `movable` is a folder
    of masks of what can move, for the share of it that is seen near infinity; a synthetic world has
    such labels itself.
    With `refine` the network goes on learning on the frames that it predicts, from their `hints`
    too where its recipe does. With `poses` the motions that it sees in the sequences of these
    frames are scored too, see `predict_paths`.

    Raises:
        FileNotFoundError, ValueError: one line on what is missing or wrong.
    """
    # What can be wrong is looked at before hours of prediction.
    rules = named_protocol(protocol)
    Alignment.parse(alignment or "none")
    model = DepthPredictor.load(model_folder, flip=flip, crop_bottom=rules.crop_bottom)
    source = open_source(data, source_settings)
    for remark in source.remarks():
        say(remark)
    asked = None if split is None else split_frames(source, split)
    frames = frames_with_truth(source, rules, asked)
    if asked is not None and len(frames) < len(asked):
        scored = set(frames)
        first = next(frame for frame in asked if frame not in scored)
        say(
            f"{len(asked) - len(frames)} of {len(asked)} frames are left out, first {first}: "
            "no image or no such true depth"
        )
    wanted = [str(frame) for frame in frames]
    labels = world_labels(source, frames) if movable is None else mask_labels(movable, wanted)
    settings = prediction_settings(model, model_folder, resize=rules.resize)
    predictor: FramePredictor | None = None
    if refine is not None or model.looks_at_sources:
        reader = frame_reader(
            model_folder, source, frames, hints, flip, rules.crop_bottom, resize=rules.resize
        )
        predictor = NeighbourPrediction(reader)
        if refine is not None:
            predictor = FrameRefinement(reader, refine)
        settings = replace(settings, manner=described(reader, refine, source_settings))
    _begin(out, settings.name, data)
    motion = scored_motion(model_folder, source, frames, out / TRAJECTORY, say) if poses else ()
    if predictor is not None:
        say(str(export_frames(predictor, settings, source, frames, out / PREDICTIONS, progress)))
    else:
        export_predictions(model, settings, source, frames, out / PREDICTIONS, progress)
    export_truth(source, rules, frames, out / TRUTH)
    evaluation = score_folders(
        out / PREDICTIONS,
        out / TRUTH,
        protocol=protocol,
        alignment=alignment or ("none" if model.config.metric else "median"),
        only=set(wanted),
    )
    evaluation = _with_infinite(evaluation, out / PREDICTIONS, out / TRUTH, labels)
    photographs = {str(frame): source.image_path(frame) for frame in frames}
    sections = (*extra(out / PREDICTIONS, out / TRUTH), *motion)
    _write(evaluation, out, out / PREDICTIONS, out / TRUTH, photographs, extra=sections)
    return evaluation


def evaluate_folders(
    predictions: Path,
    truth: Path,
    out: Path,
    *,
    protocol: str = "eigen",
    alignment: str = "none",
    divide: float | None = None,
    truth_divide: float | None = None,
    photographs: Path | None = None,
    movable: Path | None = None,
) -> Evaluation:
    """Score anyone's depth maps against anyone's truth, and write the report.

    `movable` is as in `evaluate_model`.

    Raises:
        FileNotFoundError, ValueError: as `score_folders`.
    """
    evaluation = score_folders(
        predictions,
        truth,
        protocol=protocol,
        alignment=alignment,
        divide=divide,
        truth_divide=truth_divide,
    )
    ids = tuple(row.id for row in evaluation.rows)
    found = find_photographs(photographs, ids) if photographs is not None else {}
    if movable is not None:
        labels = mask_labels(movable, ids)
        evaluation = _with_infinite(evaluation, predictions, truth, labels, divide, truth_divide)
    _write(evaluation, out, predictions, truth, found, divide, truth_divide)
    return evaluation


def _with_infinite(
    evaluation: Evaluation,
    predictions: Path,
    truth: Path,
    labels: LabelsOf,
    divide: float | None = None,
    truth_divide: float | None = None,
) -> Evaluation:
    shares = infinite_shares(
        open_predictions(predictions, divide)[0],
        open_truth(truth, truth_divide),
        [row.id for row in evaluation.rows],
        labels,
        evaluation.protocol,
        evaluation.alignment,
    )
    return replace(evaluation, infinite=shares)


def _begin(out: Path, model: str, data: Path) -> None:
    """Frames of two data sets can bear the same names: a folder is about one model and one set."""
    remove_leftovers([out])
    path = out / SUBJECT
    subject = {"model": model, "data": str(data.resolve())}
    if path.exists():
        recorded = _recorded_subject(path)
        if recorded != subject:
            raise ValueError(
                f"{out} holds the evaluation of {recorded.get('model')} on {recorded.get('data')}, "
                f"not of {model} on {subject['data']}; give another folder for --out"
            )
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(subject, indent=1), encoding="utf-8")


def _recorded_subject(path: Path) -> dict[str, str]:
    try:
        recorded = json.loads(path.read_text(encoding="utf-8"))
        return dict(recorded)
    except (TypeError, ValueError):
        raise ValueError(
            f"{path}: expected what this folder evaluates, got something else; give another folder "
            "for --out"
        ) from None


def _write(
    evaluation: Evaluation,
    out: Path,
    predictions: Path,
    truth: Path,
    photographs: Mapping[str, Path],
    divide: float | None = None,
    truth_divide: float | None = None,
    extra: Sequence[Section] = (),
) -> None:
    evaluation.save(out / RESULTS)
    page = evaluation_page(
        evaluation,
        open_predictions(predictions, divide)[0],
        open_truth(truth, truth_divide),
        photographs=photographs,
        extra=extra,
    )
    save_page(page, out / REPORT)
