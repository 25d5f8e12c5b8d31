"""Shape checks for every tensor of the package, and the shared photographs."""

import os
from pathlib import Path

import pytest
import torch
from hypothesis import settings
from jaxtyping import install_import_hook

# Before anything imports leadline: every annotated function and dataclass checks its shapes.
install_import_hook("leadline", "shape_checks.checked")

settings.register_profile("leadline", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("leadline")

# Tests run side by side, one per core; more threads each would only fight for them.
torch.set_num_threads(1)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real photographs; tests that use it are skipped where it is absent."""
    folder = Path(os.environ.get("LEADLINE_REAL_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real photographs at {folder}; set LEADLINE_REAL_DATA to their folder")
    return folder
