"""Labels many captures on Apache Beam, a capture an element: on this machine's cores, or on a cluster.

    python experiments/cluster/classify.py --classifier=classifier.keras --captures=FOLDER --output=labels/all \
        --runner=DirectRunner --direct_num_workers=2 --direct_running_mode=multi_processing

Everything after the first three flags is Beam's own (docs/cluster.md has lines for Flink, Spark and Dataflow);
workers must see classifier and captures under the same paths and have clgan_tf installed. Writes labels/all-*.jsonl,
the rows that `--mode=classify` writes, in any order, and what was wrong with captures to labels/all-warnings-*.txt.
Exit status: 0; 3 if a capture was damaged or could not be read; 1 if what is given cannot be used.
"""

import argparse
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions

from clgan_tf import serving
from clgan_tf.capture.sources import find
from clgan_tf.common.errors import CaptureError, NoSessionError, UserError
from clgan_tf.serving.rows import as_json

WARNINGS = "warnings"


class Label(beam.DoFn):
    """A capture's path -> its rows as JSON, and its warnings."""

    def __init__(self, classifier: str) -> None:
        self.path = classifier
        self.sessions = beam.metrics.Metrics.counter("clgan_tf", "sessions")
        self.damaged = beam.metrics.Metrics.counter("clgan_tf", "damaged")

    def setup(self) -> None:
        """Loads the classifier, once a worker."""
        self.classifier = serving.load(self.path)

    def process(self, capture: str) -> Iterator[Any]:
        """Labels a capture; one that cannot be read is told and costs no other."""
        try:
            for row in self.classifier.classify(capture):
                self.sessions.inc()
                yield as_json(row)
        except NoSessionError:
            pass  # Its warning says so.
        except CaptureError as error:
            self.damaged.inc()
            yield beam.pvalue.TaggedOutput(WARNINGS, str(error))
            return
        if self.classifier.is_damaged:
            self.damaged.inc()
        for warning in self.classifier.warnings:
            yield beam.pvalue.TaggedOutput(WARNINGS, warning)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the pipeline and says what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, text in (
        ("classifier", "saved classifier"),
        ("captures", "folder, file or pattern"),
        ("output", "prefix"),
    ):
        parser.add_argument(f"--{name}", required=True, help=text)
    options, of_beam = parser.parse_known_args(arguments)
    try:
        captures = find([options.captures])
        serving.load(options.classifier)  # What is wrong with it is told here, not by every worker.
    except UserError as error:
        print(f"classify: {error}", file=sys.stderr)
        return 1
    pipeline = beam.Pipeline(options=PipelineOptions(of_beam))
    rows = (
        pipeline
        | beam.Create(captures, reshuffle=True)
        | beam.ParDo(Label(options.classifier)).with_outputs(WARNINGS, main="rows")
    )
    _ = rows.rows | "rows" >> beam.io.WriteToText(options.output, ".jsonl")
    _ = rows[WARNINGS] | "warnings" >> beam.io.WriteToText(f"{options.output}-{WARNINGS}", ".txt")
    result = pipeline.run()
    result.wait_until_finish()
    counts = {one.key.metric.name: one.committed for one in result.metrics().query()["counters"]}
    print(f"{counts.get('sessions', 0):,} sessions of {len(captures):,} captures labelled: {options.output}-*.jsonl")
    if damaged := counts.get("damaged", 0):
        print(f"{damaged:,} captures were damaged or not readable: {options.output}-{WARNINGS}-*.txt", file=sys.stderr)
    return 3 if damaged else 0


if __name__ == "__main__":
    sys.exit(main())
