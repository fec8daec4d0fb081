"""A trunk: what phase 1 of CLGAN+ has learned from sessions without labels, in one file that any run can start from."""

from dataclasses import asdict, dataclass
from pathlib import Path

import keras
import numpy as np

from clgan_tf.common import typed_json
from clgan_tf.common.errors import ConfigError, ModelFileError
from clgan_tf.data.description import DataFacts
from clgan_tf.models.filling import FillingGAN
from clgan_tf.settings import FillingSettings
from clgan_tf.training import checkpoint

FACTS = "facts"
REMEDY = "make it with --mode=pretrain"
# What decides the networks' shape or what their inputs mean; the rest of a run's settings may differ from its trunk's.
OF_THE_NETWORKS = ("width", "magnitude", "attention")


@dataclass(frozen=True)
class TrunkFacts:
    """What a trunk was made of. sessions: how many it has seen; data: of their data set."""

    data: DataFacts
    sessions: int
    seed: int
    filling: FillingSettings


def save(path: Path, model: FillingGAN, facts: TrunkFacts) -> None:
    """Writes both networks, without the discriminator's logits, whole or not at all."""
    text = typed_json.line(facts).encode()
    checkpoint.write(path, variables(model), {FACTS: np.frombuffer(text, np.uint8)})


def load(path: Path, model: FillingGAN, data: DataFacts, filling: FillingSettings) -> TrunkFacts:
    """Puts a trunk into a model.

    Raises:
      ModelFileError: the file is missing, damaged or no trunk.
      ConfigError: it is of other networks, or of sessions that are represented otherwise.
    """
    note = checkpoint.read_note(path, FACTS, REMEDY)
    if note.dtype != np.uint8 or note.ndim != 1:
        raise ModelFileError(f"{path}: is no trunk; {REMEDY}.")
    facts = typed_json.decode(note.tobytes(), TrunkFacts, str(path), REMEDY)
    for name in OF_THE_NETWORKS:
        then, now = asdict(facts.filling)[name], asdict(filling)[name]
        if then != now:
            raise ConfigError(f"{path} was made with --{name}={then}, not {now}; give the same.")
    for name in ("representation", "representation_version"):
        then, now = getattr(facts.data, name), getattr(data, name)
        if then != now:
            raise ConfigError(f"{path} was made of sessions with {name} {then}, not {now}; {REMEDY} on such sessions.")
    checkpoint.read(path, variables(model), FACTS, REMEDY)
    return facts


def variables(model: FillingGAN) -> dict[str, keras.Variable]:
    """All of both networks but the logits', which know classes."""
    of_classes = {id(variable) for variable in model.last_layer.variables}
    own = [variable for variable in model.network.variables if id(variable) not in of_classes]
    return {
        **{f"discriminator-{index}": variable for index, variable in enumerate(own)},
        **{f"generator-{index}": variable for index, variable in enumerate(model.partner.variables)},
    }
