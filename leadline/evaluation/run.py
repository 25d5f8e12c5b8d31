"""One evaluation in a folder of its own: predictions, truth, `results.json`, `report.html`."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from leadline.data.sources.detect import open_source
from leadline.data.splits import read_split
from leadline.evaluation.export import export_predictions, export_truth, frames_with_truth
from leadline.evaluation.page import evaluation_page
from leadline.evaluation.panels import find_photographs
from leadline.evaluation.predictions import open_predictions, open_truth
from leadline.evaluation.results import Evaluation
from leadline.evaluation.score import score_folders
from leadline.files import atomic_path
from leadline.inference.model_folder import fingerprint
from leadline.inference.predictor import DepthPredictor
from leadline.report.elements import Section

RESULTS, REPORT = "results.json", "report.html"
PREDICTIONS, TRUTH = "predictions", "truth"


def evaluate_model(
    model_folder: Path,
    data: Path,
    out: Path,
    *,
    split: Path | None = None,
    protocol: str = "eigen",
    alignment: str | None = None,
    flip: bool = False,
    extra: Callable[[Path, Path], Sequence[Section]] = lambda predictions, truth: (),
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluation:
    """Predict every frame with truth, then score the predictions and write the report.

    `extra` makes further sections of the report from the folders of predictions and truth. Without
    an `alignment`, a metric model is scored as it is and any other by the median.

    Raises:
        FileNotFoundError, ValueError: one line on what is missing or wrong.
    """
    model = DepthPredictor.load(model_folder, flip=flip)
    source = open_source(data)
    frames = frames_with_truth(source, None if split is None else read_split(split))
    name = f"{model.config.recipe or model_folder.name} {fingerprint(model_folder)}"
    export_predictions(
        model, f"{name}{' flip' if flip else ''}", source, frames, out / PREDICTIONS, progress
    )
    export_truth(source, frames, out / TRUTH)
    evaluation = score_folders(
        out / PREDICTIONS,
        out / TRUTH,
        protocol=protocol,
        alignment=alignment or ("none" if model.config.metric else "median"),
    )
    photographs = {str(frame): source.image_path(frame) for frame in frames}
    sections = extra(out / PREDICTIONS, out / TRUTH)
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
    truth_divide: float = 256,
    photographs: Path | None = None,
) -> Evaluation:
    """Score anyone's depth maps against anyone's truth, and write the report.

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
    _write(evaluation, out, predictions, truth, found, divide, truth_divide)
    return evaluation


def _write(
    evaluation: Evaluation,
    out: Path,
    predictions: Path,
    truth: Path,
    photographs: Mapping[str, Path],
    divide: float | None = None,
    truth_divide: float = 256,
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
    with atomic_path(out / REPORT) as temporary:
        temporary.write_text(page, encoding="utf-8")
