"""Work on a Dask cluster; nobody else needs Dask."""

from importlib.util import find_spec

if find_spec("distributed") is None:
    raise ImportError(
        'a cluster needs Dask, which is not installed here: pip install "leadline[cluster]"'
    )
