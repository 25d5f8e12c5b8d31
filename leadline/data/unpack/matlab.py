"""Files of MATLAB: variables of version 5 by SciPy, and the HDF5 of version 7.3 by h5py."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

_INSTALL = 'which is not installed; run pip install "leadline[unpack]"'


def read_variables(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Variables of a file of version 5, by name.

    Raises:
        ImportError: SciPy is not installed.
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, damaged, or has no such variable.
    """
    try:
        from scipy.io import loadmat
    except ImportError as error:
        raise ImportError(f"{path.name} is read by SciPy, {_INSTALL}") from error
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a .mat file with {_named(names)}, found none")
    try:
        found = loadmat(str(path), variable_names=list(names))
    # A damaged file fails in more ways than SciPy says.
    except Exception as error:
        raise ValueError(
            f"{path}: expected a whole .mat file of version 5 with {_named(names)}, got another "
            f"({error}); fetch it again"
        ) from None
    missing = [name for name in names if name not in found]
    if missing:
        raise ValueError(
            f"{path}: expected a .mat file with {_named(names)}, found no {_named(missing)} in it; "
            "give the right file"
        )
    return {name: np.asarray(found[name]) for name in names}


@contextmanager
def open_datasets(path: Path, names: Sequence[str]) -> Iterator[list[Any]]:
    """The HDF5 data sets of a file of version 7.3, by name; axes are those of MATLAB backwards.

    Raises:
        ImportError: h5py is not installed.
        FileNotFoundError: there is no such file.
        ValueError: the file is of another kind, cut short, or has no such data set.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(f"{path.name} is read by h5py, {_INSTALL}") from error
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a .mat file with {_named(names)}, found none")
    if not h5py.is_hdf5(path):
        raise ValueError(
            f"{path}: expected a .mat file of version 7.3 (HDF5) with {_named(names)}, got another "
            "file; give the right one"
        )
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path}: damaged or cut short ({error}); fetch it again") from None
    with file:
        missing = [name for name in names if not isinstance(file.get(name), h5py.Dataset)]
        if missing:
            raise ValueError(
                f"{path}: expected the data sets {_named(names)}, found no {_named(missing)} but "
                f"{_named(sorted(file)) or 'nothing'}; give the right file"
            )
        yield [file[name] for name in names]


def _named(names: Sequence[str]) -> str:
    return ", ".join(names)
