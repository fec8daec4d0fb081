"""The whole state of an interrupted phase 1 in one file: weights, both optimizers, dropout's seeds, the epoch.

Keras's BackupAndRestore restores only `model.optimizer`, and neither it nor weight files hold the state
of seed generators; a plain archive of every variable leaves nothing out.
"""

import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np

from clgan_tf.common.errors import ModelFileError
from clgan_tf.common.files import written_aside
from clgan_tf.models.two_networks import TwoNetworks

HEADER_BYTES = 4096  # more than the header of any array in the archive


def save(path: Path, model: TwoNetworks, epochs_done: int) -> None:
    """Writes the state after `epochs_done` epochs, whole or not at all."""
    arrays: dict[str, Any] = {name: np.asarray(variable) for name, variable in _variables(model).items()}
    with written_aside(path) as aside:
        np.savez(aside, epochs_done=np.int64(epochs_done), **arrays)


def restore(path: Path, model: TwoNetworks) -> int:
    """Puts the saved state into `model`, which must be compiled; returns the number of epochs done.

    Raises:
      ModelFileError: the file is missing, damaged, or belongs to another model.
    """
    variables = _variables(model)
    try:
        with zipfile.ZipFile(path) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
        for name, variable in variables.items():
            expected = int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
            if sizes.get(f"{name}.npy", 0) > expected + HEADER_BYTES:
                raise ModelFileError(f"{path}: {name} is larger than this model's; start the run anew.")
        with np.load(path, allow_pickle=False) as arrays:
            epochs_done = int(arrays["epochs_done"].item())
            values = {name: arrays[name] for name in variables}
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: not this run's training state ({error}); start the run anew.") from error
    if epochs_done < 1:
        raise ModelFileError(f"{path}: claims {epochs_done} finished epochs; start the run anew.")
    for name, variable in variables.items():
        if values[name].shape != tuple(variable.shape):
            raise ModelFileError(
                f"{path}: {name} has the shape {values[name].shape}, this model {tuple(variable.shape)}; "
                "resume with the flags of the run's flagfile."
            )
    for name, variable in variables.items():
        variable.assign(values[name])
    return epochs_done


def _variables(model: TwoNetworks) -> dict[str, keras.Variable]:
    owners = {
        "network": model.network,
        "partner": model.partner,
        "network_optimizer": model.optimizer,
        "partner_optimizer": model.partner_optimizer,
    }
    return {
        f"{owner}-{index}": variable
        for owner, holder in owners.items()
        for index, variable in enumerate(holder.variables)
    }
