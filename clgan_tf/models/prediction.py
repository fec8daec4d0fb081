"""What a network gives for many sessions, with a bar."""

from typing import Any

import keras
import numpy as np

from clgan_tf.common.progress import Bar, bar
from clgan_tf.models.byte_ngrams import rows_at_once


class _Moving(keras.callbacks.Callback):
    """Moves a bar with every batch."""

    def __init__(self, shown: Bar):
        super().__init__()
        self.shown = shown

    def on_predict_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Raises KeyboardInterrupt where one waits."""
        self.shown.update()


def predict(network: keras.Model, images: np.ndarray, most_rows: int = 1024) -> Any:
    """Its outputs as `keras.Model.predict` gives them, of up to so many at once; images: uint8 [n, 28, 28, 1].

    n may be 0, of which Keras makes an error.
    """
    if not len(images):
        return of_none(network)
    rows = rows_at_once(network, most_rows)
    with bar("Through the network", -(-len(images) // rows), " batches") as shown:
        return network.predict(images, batch_size=rows, verbose=0, callbacks=[_Moving(shown)])


def of_none(network: keras.Model) -> Any:
    """Its outputs of no session, in their structure: [0, ...]."""
    return keras.tree.map_structure(lambda one: np.zeros((0, *one.shape[1:]), one.dtype), network.output)
