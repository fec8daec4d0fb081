"""Captures, or a stream, to a labelled row a session."""

import gc
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext, suppress

from clgan_tf import serving
from clgan_tf.capture import Live, workers_for
from clgan_tf.capture.interface import capturing
from clgan_tf.capture.sources import STANDARD_INPUT, find
from clgan_tf.common import progress
from clgan_tf.common.errors import NoSessionError
from clgan_tf.settings import ClassifySettings


def run(settings: ClassifySettings) -> bool:
    """Labels every session of the captures; the summary goes to standard error, so that rows can be piped.

    Of a stream, a row comes as soon as its label is known; Ctrl-C or SIGTERM end it in order.
    """
    classifier = serving.load(settings.classifier_path)
    # TensorFlow's objects stay: looking through all of them again and again takes as long as making the rows.
    gc.freeze()
    counts: Counter[str] = Counter()
    if settings.may_stream and (settings.interface or not sys.stdin.buffer.seekable()):
        count = serving.write_stream(_of_stream(settings, classifier, counts), settings.output, settings.rotate)
    else:
        count = serving.write_rows(_of_captures(settings, classifier, counts), settings.output)
    dropped = ", ".join(f"{reason} {packets:,}" for reason, packets in sorted(classifier.drops.items()))
    for warning in classifier.warnings:
        named = re.sub(r"^/dev/fd/\d+", settings.interface, warning) if settings.interface else warning
        progress.warn(named)
    where = "" if settings.output == "-" else f" to {settings.output}"
    labels = ", ".join(f"{label} {number:,}" for label, number in counts.most_common())
    labels = f": {labels}" if labels else ""
    print(f"{count:,} sessions labelled{where}{labels}; packets in no session: {dropped or 'none'}.", file=sys.stderr)
    return classifier.is_damaged


def _of_captures(settings: ClassifySettings, classifier: serving.Classifier, counts: Counter[str]) -> Iterator[dict]:
    paths = find(settings.captures)
    # An hour without traffic is no failure; the captures' own warnings tell of it.
    with progress.captures_bar("Classifying", paths) as show, suppress(NoSessionError):
        for row in classifier.classify(paths, settings.strict, show, workers_for(paths), reject=settings.reject):
            counts[row["label"]] += 1
            yield row


def _of_stream(settings: ClassifySettings, classifier: serving.Classifier, counts: Counter[str]) -> Iterator[dict]:
    live = Live()
    classifier.warm_up()
    source = capturing(settings.interface) if settings.interface else nullcontext(STANDARD_INPUT)
    with live.stopped_by_signals(), source as path, progress.stream_bar("Classifying", counts.total) as show:
        for row in classifier.classify(
            path, settings.strict, show, live=live, idle_timeout=settings.idle_timeout, reject=settings.reject
        ):
            counts[row["label"]] += 1
            yield {**row, "capture": settings.interface or row["capture"]}
