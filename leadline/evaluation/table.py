"""The evaluation as a table for the terminal."""

from rich.console import Group
from rich.table import Table
from rich.text import Text

from leadline.evaluation.infinite import TOO_FAR, InfiniteShares
from leadline.evaluation.results import Evaluation
from leadline.metrics import DepthMetrics

HEADINGS = {
    "abs_rel": "Abs Rel ↓",
    "sq_rel": "Sq Rel ↓",
    "rmse": "RMSE ↓",
    "rmse_log": "RMSE log ↓",
    "a1": "a1 ↑",
    "a2": "a2 ↑",
    "a3": "a3 ↑",
    "silog": "SILog ↓",
    "log10": "log10 ↓",
}
"""Every figure's usual name, with the direction in which it is better."""


def evaluation_table(evaluation: Evaluation) -> Group:
    """Settings, then the figures of all images beside those of what needs no picture."""
    settings = Table.grid(padding=(0, 2))
    for label, text in evaluation.settings().items():
        settings.add_row(Text(label, style="bold"), Text(text))
    # One figure a line: nine columns of four decimals do not fit a terminal of 80 characters.
    figures = Table()
    figures.add_column(evaluation.protocol.joined)
    figures.add_column("predictions", justify="right", style="bold")
    for guess in evaluation.guesses:
        figures.add_column(Text(guess), justify="right", style="dim")
    means = (evaluation.mean, *evaluation.guesses.values())
    for name in DepthMetrics.names():
        figures.add_row(HEADINGS[name], *(f"{getattr(mean, name):.4f}" for mean in means))
    tables = [settings, figures]
    if evaluation.infinite is not None:
        tables.append(_infinite_table(evaluation.infinite))
    return Group(*tables)


def _infinite_table(shares: InfiniteShares) -> Table:
    table = Table(caption=f"seen {TOO_FAR:g} times too far, or farther", caption_justify="left")
    table.add_column("pixels that show")
    table.add_column("near-infinite ↓", justify="right", style="bold")
    for name, share in shares.by_name().items():
        table.add_row(name, "none there" if share is None else f"{share:.1%}")
    return table
