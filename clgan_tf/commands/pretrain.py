"""Sessions without a label to a trunk."""

from clgan_tf.commands.prepare import dataset_of
from clgan_tf.data.registered import open_any
from clgan_tf.settings import PrepareSettings, PretrainSettings
from clgan_tf.training.run import assist, pretrain
from clgan_tf.training.strategy import is_chief


def run(settings: PretrainSettings, source: PrepareSettings | None) -> bool:
    """Prepares the data if need be and makes a trunk, which --init_from takes."""
    if not is_chief(settings.strategy):
        return help_along(settings)
    dataset, is_damaged = dataset_of(settings.dataset, source)
    done = pretrain(settings, dataset, source)
    print(f"Trunk: {done.trunk}; fine-tune it with --mode=train --init_from={done.trunk}")
    return is_damaged


def help_along(settings: PretrainSettings) -> bool:
    """The part of a worker that is not the first: phase 1, and nothing that is written or printed beside it."""
    assist(settings, open_any(settings.dataset))
    print("Phase 1 is over; the first worker goes on alone.")
    return False
