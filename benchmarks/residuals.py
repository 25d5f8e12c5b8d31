"""The residuals that supervised depth can be learnt by, and how hard each pulls: a figure.

Value and gradient of one pixel's residual by its error, 4 m at most in the picture, so that the
threshold of berHu is a fifth of that [fcrn].

    python benchmarks/residuals.py
"""

from pathlib import Path

import matplotlib.pyplot as plt
import torch

from leadline.files import atomic_path
from leadline.losses.residuals import RESIDUALS

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "images" / "residuals.png"
MOST = 4.0
NAMES = {"l1": "L1", "l2": "L2", "berhu": "berHu", "log_l1": "log-L1"}


def main() -> None:
    error = torch.linspace(-MOST, MOST, 801).reshape(1, 1, 1, -1)
    truth, everywhere = torch.zeros_like(error), torch.ones_like(error, dtype=torch.bool)
    figure, (values, gradients) = plt.subplots(1, 2, figsize=(10, 3.4))
    for name, label in NAMES.items():
        predicted = error.clone().requires_grad_()
        value = RESIDUALS[name](predicted, truth, everywhere)
        (gradient,) = torch.autograd.grad(value.sum(), predicted)
        values.plot(error.flatten(), value.detach().flatten(), label=label)
        gradients.plot(error.flatten(), gradient.flatten(), label=label)
    values.set_ylim(0, 6)
    gradients.set_ylim(-5, 5)
    for panel, what in ((values, "residual"), (gradients, "its gradient")):
        panel.set_title(what)
        panel.set_xlabel("predicted less true depth, metres")
        panel.grid(alpha=0.3)
    values.legend()
    figure.tight_layout()
    with atomic_path(PICTURE) as temporary:
        figure.savefig(temporary, dpi=80)


if __name__ == "__main__":
    main()
