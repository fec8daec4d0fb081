"""The whole state of an interrupted phase 1 in one file: weights, both optimizers, dropout's seeds, the epoch.

Keras's BackupAndRestore restores only `model.optimizer`, and neither it nor weight files hold the state
of seed generators; a plain archive of every variable leaves nothing out.
"""

import math
import tokenize
import zipfile
import zlib
from pathlib import Path
from typing import Any

import keras
import numpy as np

from clgan_tf.common.errors import ModelFileError
from clgan_tf.common.files import written_aside
from clgan_tf.common.progress import warn
from clgan_tf.models.two_networks import TwoNetworks

HEADER_BYTES = 4096  # more than the header of any array in the archive
MAX_NOTE_BYTES = 1 << 20
EPOCHS = "epochs_done"
START_ANEW = "start the run anew"
# What zipfile and NumPy raise of a damaged archive; of a header that is no Python, whatever its parser does.
DAMAGE = (
    *(OSError, EOFError, KeyError, ValueError, TypeError, RuntimeError, SyntaxError, MemoryError),
    *(tokenize.TokenError, zipfile.BadZipFile, zlib.error),
)


def save(path: Path, model: TwoNetworks, epochs_done: int) -> None:
    """Writes the state after `epochs_done` epochs, whole or not at all; the one before it is kept beside it."""
    if path.exists():
        path.replace(_before(path))
    write(path, _variables(model), {EPOCHS: np.int64(epochs_done)})


def exists(path: Path) -> bool:
    """Whether there is a state to go on from."""
    return bool(_saved(path))


def restore(path: Path, model: TwoNetworks) -> int:
    """Puts the saved state into `model`, which must be compiled; returns the number of epochs done, 0 without a state.

    Where the newest state cannot be used the one before it is, with a warning.

    Raises:
      ModelFileError: the only state, or both, are damaged or belong to another model.
    """
    saved = _saved(path)
    for one in saved:
        try:
            epochs_done = int(read(one, _variables(model), EPOCHS, START_ANEW).item())
            if epochs_done < 1:
                raise ModelFileError(f"{one}: claims {epochs_done} finished epochs; {START_ANEW}.")
            return epochs_done
        except ModelFileError as error:
            if one == saved[-1]:
                raise
            warn(f"{str(error).removesuffix(f'; {START_ANEW}.')}; the state before it is used.")
    return 0


def _before(path: Path) -> Path:
    return path.with_stem(f"{path.stem}_before")


def _saved(path: Path) -> list[Path]:
    return [one for one in (path, _before(path)) if one.exists()]


def write(path: Path, variables: dict[str, keras.Variable], notes: dict[str, Any]) -> None:
    """Writes variables and what is to be known of them, whole or not at all."""
    arrays: dict[str, Any] = {name: np.asarray(variable) for name, variable in variables.items()}
    with written_aside(path) as aside:
        np.savez(aside, **{**notes, **arrays})


def read_note(path: Path, note: str, remedy: str) -> np.ndarray:
    """One of the notes, at most MAX_NOTE_BYTES. Raises ModelFileError where the file is missing or damaged."""
    return read(path, {}, note, remedy)


def read(path: Path, variables: dict[str, keras.Variable], note: str, remedy: str) -> np.ndarray:
    """Puts the saved values into the variables, all or none; returns the note of that name.

    Raises:
      ModelFileError: the file is missing, damaged, or holds other variables.
    """
    bounds = {note: MAX_NOTE_BYTES}
    for name, variable in variables.items():
        bounds[name] = int(np.prod(variable.shape)) * np.dtype(variable.dtype).itemsize
    try:
        with zipfile.ZipFile(path) as archive:
            for name, most in bounds.items():
                size = archive.getinfo(f"{name}.npy").file_size
                if size > most + HEADER_BYTES or _claimed(archive, name) > most:
                    raise ModelFileError(f"{path}: {name} is larger than this model's; {remedy}.")
        with np.load(path, allow_pickle=False) as arrays:
            values = {name: arrays[name] for name in bounds}
    except DAMAGE as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"{path}: not what this model needs ({error}); {remedy}.") from error
    for name, variable in variables.items():
        if values[name].shape != tuple(variable.shape):
            raise ModelFileError(
                f"{path}: {name} has the shape {values[name].shape}, this model {tuple(variable.shape)}; "
                "give the flags that it was made with."
            )
    for name, variable in variables.items():
        variable.assign(values[name])
    return values[note]


def _claimed(archive: zipfile.ZipFile, name: str) -> int:
    """How many bytes an array's header says that it has: NumPy makes room for them before it reads any."""
    with archive.open(f"{name}.npy") as file:
        version = np.lib.format.read_magic(file)
        read_header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read_header(file, HEADER_BYTES)
    return math.prod(shape) * dtype.itemsize


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
