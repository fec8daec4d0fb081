"""The saved classifier in use: captures in, one labelled row a session out."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from clgan_tf import capture
from clgan_tf.capture.live import IDLE_SECONDS
from clgan_tf.capture.parallel import Progress
from clgan_tf.common.ahead import ahead
from clgan_tf.common.errors import NoSessionError
from clgan_tf.common.files import readable_name
from clgan_tf.models import archive
from clgan_tf.models.byte_ngrams import rows_at_once
from clgan_tf.models.classifier import DESCRIBED, ClassProbabilities
from clgan_tf.models.prediction import of_none, predict
from clgan_tf.settings import REJECTED

TOP = 3
UNKNOWN = "unknown"
ROWS_AT_ONCE = 2048
MOST_AT_ONCE = 4 * ROWS_AT_ONCE  # sessions that are read, judged and told of while others are


@dataclass
class Classifier:
    """A trained classifier with the representation and class names it was saved with.

    ended: after `judged` or `classify`, the summary of every capture that was read to its end.
    """

    model: keras.Model
    head: ClassProbabilities
    ended: list[capture.CaptureSummary] = field(default_factory=list)

    @property
    def drops(self) -> dict[str, int]:
        """Packets in no session, by reason, of those captures."""
        return dict(sum((Counter(summary.drops) for summary in self.ended), Counter()))

    @property
    def warnings(self) -> list[str]:
        """What is odd about those captures."""
        return [warning for summary in self.ended for warning in summary.warnings]

    @property
    def is_damaged(self) -> bool:
        """Whether one of those captures could not be read to its end."""
        return any(summary.is_damaged for summary in self.ended)

    @property
    def class_names(self) -> list[str]:
        """K names in the order of the probabilities."""
        return self.head.class_names

    @property
    def rules(self) -> capture.SessionRules:
        """How packets are grouped into sessions."""
        return capture.SessionRules(**self.head.rules)

    def predict_bytes(self, images: np.ndarray) -> np.ndarray:
        """Probabilities float32 [n, K] of uint8 images [n, 28, 28] or [n, 28, 28, 1]; n may be 0."""
        return self.outputs(images)["probabilities"]

    def logits(self, images: np.ndarray) -> np.ndarray:
        """What the probabilities of uint8 images [n, 28, 28, 1] are made of, not yet divided by the temperature."""
        return predict(self._to_logits, images, ROWS_AT_ONCE)

    def features(self, images: np.ndarray) -> np.ndarray:
        """What the last layer makes logits of, float32 [n, d], of uint8 images [n, 28, 28]; n may be 0.

        Of a forest, which has no such layer, the bytes' summary.
        """
        return predict(self._to_features, images.reshape(-1, 28, 28, 1), ROWS_AT_ONCE)

    def familiarity(self, images: np.ndarray) -> np.ndarray:
        """Of the same images, float32 [n]: the share of training's sessions that are as unusual; see Familiarity."""
        return self.outputs(images)["familiarity"]

    def outputs(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """Both of the same images: "probabilities" and "familiarity". Raises TypeError where they are no uint8."""
        if images.dtype != np.uint8:
            raise TypeError(f"Images are bytes, of the type uint8 and not {images.dtype}.")
        images = images.reshape(-1, 28, 28, 1)
        if not len(images):  # Not every processor's convolution takes none.
            return of_none(self.model)
        rows = rows_at_once(self.model, ROWS_AT_ONCE)
        starts = range(0, len(images), rows)
        parts = [self._compiled(tf.constant(images[at : at + rows])) for at in starts]
        return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}

    @cached_property
    def _to_logits(self) -> keras.Model:
        return keras.Model(self.model.input, self.head.input)

    @cached_property
    def _to_features(self) -> keras.Model:
        names = {layer.name for layer in self.model.layers}
        seen = self.model.get_layer("familiarity").input
        return keras.Model(self.model.input, self.model.get_layer(DESCRIBED).input[0] if DESCRIBED in names else seen)

    @cached_property
    def _compiled(self) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """The model as one compiled function: `keras.Model.predict` takes twenty times as long for a single row."""
        shape = tf.TensorSpec([None, 28, 28, 1], tf.uint8)
        return tf.function(lambda images: self.model(images, training=False)).get_concrete_function(shape)

    def classify(
        self,
        captures: str | Path | Iterable[str | Path],
        strict: bool = False,
        progress: Progress | None = None,
        workers: int = 1,
        live: capture.Live | None = None,
        idle_timeout: float = 0.0,
        reject: float = REJECTED,
    ) -> Iterator[dict[str, Any]]:
        """Yields one row a session, capture by capture; memory is bounded, as that of clgan_tf.capture.stream.

        A capture's rows come in order of first packet, unless sessions end or have to leave while it is read. `judged`
        says what the other arguments are.

        Args:
          reject: a session is called UNKNOWN if it is less familiar than this share of training's sessions, which is
            then also how many of those that are known are rejected.

        Raises:
          CaptureError: see clgan_tf.capture.stream.
        """
        for sessions, outputs in self.judged(captures, strict, progress, workers, live, idle_timeout):
            yield from self.rows(sessions, outputs, reject)

    def judged(
        self,
        captures: str | Path | Iterable[str | Path],
        strict: bool = False,
        progress: Progress | None = None,
        workers: int = 1,
        live: capture.Live | None = None,
        idle_timeout: float = 0.0,
    ) -> Iterator[tuple[capture.Sessions, dict[str, np.ndarray]]]:
        """Yields the captures' sessions, some at a time, with what `outputs` says of them.

        More workers read several captures at once; clgan_tf.capture.stream says what a script needs for that.

        Args:
          live: a session comes as soon as its label cannot change any more, or it is idle.
          idle_timeout: seconds without a packet that end a live session; 0: as the classifier has it, else
            live.IDLE_SECONDS.

        Raises:
          CaptureError: see clgan_tf.capture.stream.
        """
        paths = [captures] if isinstance(captures, str | Path) else list(captures)
        self.ended = []
        rules = self.rules
        if live:
            self.warm_up()
            rules = replace(rules, idle_timeout=idle_timeout or rules.idle_timeout or IDLE_SECONDS)
        parts = capture.stream(
            paths,
            self.head.representation,
            self.head.unit,
            rules=rules,
            strict=strict,
            progress=progress,
            workers=workers,
            live=live,
        )
        judged: Iterator[tuple[capture.Sessions, dict[str, np.ndarray]]]
        if live:
            judged = ((part, self.outputs(part.images)) for part in parts)
        else:  # The next sessions are read, and the network judges, while what is known of the last ones is used.
            judged = ahead((part, self.outputs(part.images)) for part in ahead(_gathered(parts)))
        for sessions, outputs in judged:
            self.ended += sessions.ended
            yield sessions, outputs

    def warm_up(self) -> None:
        """Lets TensorFlow compile what labels sessions now, not while packets wait."""
        self.outputs(np.zeros((1, 28, 28), np.uint8))

    def rows(
        self,
        sessions: capture.Sessions,
        outputs: dict[str, np.ndarray],
        reject: float = 0.0,
        numbers: slice | np.ndarray = slice(None),
    ) -> list[dict[str, Any]]:
        """What is said of sessions, or of those with these numbers, with what `outputs` says of all; see `classify`."""
        probabilities, familiarity = outputs["probabilities"][numbers], outputs["familiarity"][numbers]
        best = np.argsort(-probabilities, axis=1, kind="stable")[:, :TOP]
        shown = _rounded(np.take_along_axis(probabilities, best, axis=1))
        files = sessions.capture[numbers].tolist()
        names = {file: readable_name(sessions.paths[file]) for file in set(files)}
        class_names = self.class_names
        ranked = [
            [{"label": class_names[label], "probability": chance} for label, chance in zip(*row, strict=True)]
            for row in zip(best.tolist(), shown.tolist(), strict=True)
        ]
        is_unknown = (familiarity < reject).tolist()
        columns = {
            "capture": [names[file] for file in files],
            "protocol": [capture.PROTOCOLS[number] for number in sessions.key["protocol"][numbers].tolist()],
            **sessions.endpoint_columns(numbers),
            "first_time": timestamps(sessions.first_time[numbers]),
            "last_time": timestamps(sessions.last_time[numbers]),
            "packets": sessions.packets[numbers].tolist(),
            "bytes": sessions.num_bytes[numbers].tolist(),
            "label": [UNKNOWN if is_so else top[0]["label"] for is_so, top in zip(is_unknown, ranked, strict=True)],
            "probability": [top[0]["probability"] for top in ranked],
            "familiarity": _rounded(familiarity).tolist(),
            "top": ranked,
        }
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _gathered(parts: Iterable[capture.Sessions]) -> Iterator[capture.Sessions]:
    """The parts joined, or split, so that few captures of many sessions and many of few cost the network the same."""
    waiting: list[capture.Sessions] = []
    try:
        for part in parts:
            waiting.append(part)
            if sum(map(len, waiting)) >= ROWS_AT_ONCE:
                yield from capture.concatenate(waiting).split(MOST_AT_ONCE)
                waiting = []
    except NoSessionError:
        yield capture.concatenate(waiting)  # What the captures held instead is told all the same.
        raise
    if waiting:
        yield from capture.concatenate(waiting).split(MOST_AT_ONCE)


def load(path: str | Path) -> Classifier:
    """Loads a classifier; see `archive.load`.

    Raises:
      ModelFileError: the file is not a classifier of ours, or was made for another version of its representation.
    """
    model = archive.load(Path(path))
    return Classifier(model, model.get_layer("probabilities"))


def timestamps(seconds: np.ndarray) -> list[str]:
    """ISO 8601 in UTC, with microseconds."""
    parts, whole = np.modf(seconds)
    texts = np.datetime_as_string(
        (1_000_000 * whole.astype(np.int64) + np.rint(1e6 * parts).astype(np.int64)).astype("datetime64[us]")
    )
    return [f"{text}Z" for text in texts.tolist()]


def _rounded(shares: np.ndarray) -> np.ndarray:
    return np.round(shares.astype(np.float64), 6)
