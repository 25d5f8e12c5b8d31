"""What a newcomer does wrong in the first ten minutes, and what must be said to it.

Read by `tests/test_wrong_inputs.py` and, for the table, by `benchmarks/wrong_inputs.py`.
"""

# In the order of the table: each chapter adds its cases when it is imported.
from wrong_inputs import photographs, data_sets, lists, hints, training, prediction, evaluation  # isort: skip
from wrong_inputs.desk import CASES, Desk, WrongInput, small_disk

__all__ = [
    "CASES",
    "Desk",
    "WrongInput",
    "data_sets",
    "evaluation",
    "hints",
    "lists",
    "photographs",
    "prediction",
    "small_disk",
    "training",
]
