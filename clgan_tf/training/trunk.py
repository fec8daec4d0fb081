"""A trunk: what phase 1 of CLGAN+ has learned from sessions without labels, in one file that any run can start from."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError, DataError, ModelFileError
from clgan_tf.data.description import DataFacts
from clgan_tf.models.filling import FillingGAN
from clgan_tf.settings import FillingSettings
from clgan_tf.training import checkpoint

FACTS = "facts"
REMEDY = "make it with --mode=pretrain"
SHIPPED, FOLDER = Path("shipped"), Path(__file__).parents[1] / "trunks"
# What decides the networks' shape or what their inputs mean; the rest of a run's settings may differ from its trunk's.
OF_THE_NETWORKS = ("width", "magnitude", "attention")


@dataclass(frozen=True)
class TrunkFacts:
    """What a trunk was made of.

    sessions: how many its phase 1 has seen; data: of their data set; begun_from: name of the trunk from which that
    went on.
    """

    data: DataFacts
    sessions: int
    seed: int
    filling: FillingSettings
    begun_from: str = ""


def all_shipped() -> dict[str, Path]:
    """The trunks that come with clgan_tf, by representation."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.npz"))}


def shipped(representation: str) -> Path:
    """The trunk of a representation that comes with clgan_tf. Raises ConfigError where none does."""
    known = all_shipped()
    if representation not in known:
        raise ConfigError(f"trunks of {', '.join(known)} come with clgan_tf, none of {representation}; {REMEDY}.")
    return known[representation]


def file_of(flag: str, given: Path, representation: str) -> Path:
    """The file that a flag names; SHIPPED is the representation's trunk that comes with clgan_tf.

    Raises:
      ConfigError: none comes for the representation. DataError: there is no such file.
    """
    if given == SHIPPED:
        return shipped(representation)
    if not given.is_file():
        raise DataError(f"--{flag}: {given}: No such file; make it with --mode=pretrain or train.")
    return given


def save(path: Path, model: FillingGAN, facts: TrunkFacts) -> None:
    """Writes both networks, without the discriminator's logits, whole or not at all."""
    text = typed_json.line(facts).encode()
    checkpoint.write(path, variables(model), {FACTS: np.frombuffer(text, np.uint8)})


def load(path: Path, model: FillingGAN, data: DataFacts, filling: FillingSettings) -> None:
    """Puts a trunk into a model; raises as `require_fit`."""
    require_fit(path, data.representation, data.representation_version, filling)
    checkpoint.read(path, variables(model), FACTS, REMEDY)


def load_shipped(model: FillingGAN, representation: str) -> None:
    """Puts the trunk of a representation that comes with clgan_tf into the usual networks; raises as `shipped`."""
    path = shipped(representation)
    require_fit(path, representation, REPRESENTATIONS[representation].version, FillingSettings())
    checkpoint.read(path, variables(model), FACTS, REMEDY)


def require_fit(path: Path, representation: str, version: int, filling: FillingSettings) -> None:
    """Looks at what a trunk says of itself.

    Raises:
      ModelFileError: the file is missing, damaged or no trunk.
      ConfigError: it is of other networks, or of sessions that are represented otherwise.
    """
    note = checkpoint.read_note(path, FACTS, REMEDY)
    if note.dtype != np.uint8 or note.ndim != 1:
        raise ModelFileError(f"{path}: is no trunk; {REMEDY}.")
    try:
        facts = typed_json.decode(note.tobytes(), TrunkFacts, str(path), REMEDY)
    except DataError as error:
        raise ModelFileError(str(error)) from error
    for name in OF_THE_NETWORKS:
        then, now = asdict(facts.filling)[name], asdict(filling)[name]
        if then != now:
            raise ConfigError(f"{path} was made with --{name}={then}, not {now}; give the same.")
    of_sessions = {"representation": representation, "representation_version": version}
    for name, now in of_sessions.items():
        then = getattr(facts.data, name)
        if then != now:
            raise ConfigError(f"{path} was made of sessions with {name} {then}, not {now}; {REMEDY} on such sessions.")


def variables(model: FillingGAN) -> dict[str, keras.Variable]:
    """All of both networks but the logits', which know classes."""
    of_classes = {id(variable) for variable in model.last_layer.variables}
    own = [variable for variable in model.network.variables if id(variable) not in of_classes]
    return {
        **{f"discriminator-{index}": variable for index, variable in enumerate(own)},
        **{f"generator-{index}": variable for index, variable in enumerate(model.partner.variables)},
    }
