"""Files of the Hugging Face hub: from the local cache, else fetched, else one clear message."""

from pathlib import Path

from huggingface_hub import snapshot_download

WANTED = ["config.json", "*.safetensors", "*.safetensors.index.json"]


def hub_folder(hub_id: str, online: bool) -> Path:
    """A local folder with the configuration of a model on the hub and, if `online`, its weights.

    The cache is asked first: a run that worked once works without a connection, on the same files.

    Raises:
        FileNotFoundError: the model is not cached, and not `online` or not to be had from the hub.
    """
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=WANTED, local_files_only=True))
    except FileNotFoundError:
        folder = None
    if folder is not None and (_has_weights(folder) or not online):
        return folder
    if not online:
        raise FileNotFoundError(
            f"backbone: {hub_id} is neither a local folder nor in the hub's cache"
        )
    return _fetched(hub_id)


def _fetched(hub_id: str) -> Path:
    try:
        folder = Path(snapshot_download(hub_id, allow_patterns=WANTED))
        reason = "no .safetensors file came"
    # The client of the hub lets errors of whichever HTTP library it uses pass through.
    except Exception as error:
        reason = str(error).splitlines()[0].split(". ")[0]
    else:
        # Without a connection the client hands out what an earlier, broken download left.
        if _has_weights(folder):
            return folder
    raise FileNotFoundError(
        f"weights: hub: {hub_id} is not cached and could not be fetched ({reason}); "
        "set weights to a folder that holds its config.json and model.safetensors, "
        "or to none for a random start (`leadline train --weights FOLDER` or none)"
    )


def _has_weights(folder: Path) -> bool:
    return any(folder.glob("*.safetensors"))
