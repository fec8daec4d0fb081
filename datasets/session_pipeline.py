"""Beam steps from sources to leak-free splits, with a certificate; the same on one machine and on a cluster.

An element is a Record. Every decision about it is one of clgan_tf.data.recipe, a function of its bytes, its session and
a seed, never of order, so that any number of workers gives the same data, and prepare does too.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from clgan_tf import capture
from clgan_tf.capture import REPRESENTATIONS, SessionRules
from clgan_tf.common import typed_json
from clgan_tf.common.errors import CaptureError
from clgan_tf.data import recipe, sources
from clgan_tf.data.description import CaptureReport, DataFacts
from clgan_tf.data.examples import UNLABELLED_NAME, Examples
from clgan_tf.data.prepare import capture_rows, split_facts
from clgan_tf.data.recipe import Fate, Member, Plan
from clgan_tf.data.registered import Certificate
from clgan_tf.data.sources import Source, Sources

Counted = tuple[tuple[str, ...], int]  # what was counted, and how often


class Record(NamedTuple):
    """One session: its image's 784 bytes, what the recipe must know of it, and its length before trimming.

    part: "train" or "test" of a published data set.
    """

    image: bytes
    member: Member
    num_bytes: int
    part: str = ""

    def features(self) -> dict[str, Any]:
        """The example as TFDS takes it."""
        return {
            "image": np.frombuffer(self.image, np.uint8).reshape(28, 28, 1),
            "label": self.member.label,
            "capture": self.member.capture,
            "session": self.member.session,
            "num_bytes": self.num_bytes,
        }


@dataclass(frozen=True)
class Build:
    """What is built: the sources, how they become splits, and how sessions are seen."""

    sources: Sources
    plan: Plan
    unit: str
    representation: str
    rules: SessionRules


class ReadSource(beam.DoFn):
    """Source -> Records; tagged `report`: what the source held; tagged `digest`: its files' SHA-256."""

    def __init__(self, build: Build) -> None:
        super().__init__()
        self.unit, self.representation, self.rules = build.unit, build.representation, build.rules

    def process(self, source: Source) -> Iterator[Any]:
        """Yields the source's sessions, a part at a time."""
        for digest in digests_of(source):
            yield beam.pvalue.TaggedOutput("digest", digest)
        if source.labels_path:
            examples, report = sources.read_published(source)
            yield from _records(examples, source)
        else:
            report = yield from self._capture(source)
        yield beam.pvalue.TaggedOutput("report", report)

    def _capture(self, source: Source) -> Iterator[Record]:
        flows: list[capture.Sessions] = []
        summary, count = None, 0
        try:
            for part in capture.stream(source.path, self.representation, self.unit, rules=self.rules):
                count += len(part)
                summary = part.ended[-1] if part.ended else None
                if self.unit == "flow":  # A flow is named after its session, whose other flow may be in another part.
                    flows.append(part)
                else:
                    yield from _records(sources.of_sessions(part, source), source)
        except CaptureError:
            if summary is None:  # Otherwise it only has no session: the report says so.
                raise
        if flows:
            yield from _records(sources.of_sessions(capture.concatenate(flows), source), source)
        return sources.report(summary, count, source)


def digests_of(source: Source) -> Iterator[tuple[str, str]]:
    """The source's name and SHA-256, of each of its files."""
    for path in filter(None, (source.path, source.labels_path)):
        with open(path, "rb") as file:
            yield source.name, hashlib.file_digest(file, "sha256").hexdigest()


def source_fingerprint(digests: Iterable[tuple[str, str]]) -> str:
    """Of all files that a data set is made from, in whatever order: Certificate.source_fingerprint."""
    text = "\n".join(f"{name}\t{digest}" for name, digest in sorted(digests))
    return hashlib.sha256(text.encode()).hexdigest()


def _records(examples: Examples, source: Source) -> Iterator[Record]:
    columns = (examples.images, examples.labels.tolist(), examples.sessions.tolist(), examples.num_bytes.tolist())
    for image, label, session, num_bytes in zip(*columns, strict=True):
        yield Record(image.tobytes(), Member(label, session, source.name, source.is_test), num_bytes, source.part)


Fated = tuple[Record, Fate]


def _of_a_session(records: Iterable[Record]) -> Iterator[Fated]:
    group = list(records)
    yield from zip(group, recipe.fates_of_a_session([record.member for record in group]), strict=True)


def _of_an_image(fated: Iterable[Fated]) -> Iterator[Fated]:
    group, fates = zip(*fated, strict=True)
    yield from zip(group, recipe.fates_of_an_image([record.member for record in group], fates), strict=True)


def decide(records: beam.PCollection) -> beam.PCollection:
    """Every record with its fate."""
    return (
        records
        | "by session" >> beam.GroupBy(lambda record: recipe.group_of(record.member.session))
        | "fates of a session" >> beam.FlatMap(lambda item: _of_a_session(item[1]))
        | "by image" >> beam.GroupBy(lambda item: item[0].image)
        | "fates of an image" >> beam.FlatMap(lambda item: _of_an_image(item[1]))
    )


def place(kept: beam.PCollection, plan: Plan) -> beam.PCollection:
    """(split, Record) of every kept record, without those beyond the cap of their class."""
    cuts = (
        kept
        | "to be split" >> beam.Filter(lambda record: recipe.is_to_be_split(record.member))
        | "sessions" >> beam.Map(lambda record: (record.member.label, recipe.group_of(record.member.session)))
        | "of a class" >> beam.GroupByKey()
        | "cuts" >> beam.MapTuple(lambda label, groups: (label, recipe.cuts(groups, plan)))
    )
    return (
        kept
        | "split"
        >> beam.Map(lambda record, cuts: (recipe.split_of(record.member, plan, cuts), record), beam.pvalue.AsDict(cuts))
        | "not beyond the cap" >> beam.Filter(lambda item: item[0] is not None)
    )


def shared(placed: beam.PCollection) -> beam.PCollection:
    """Counts of images and sessions that are in more than one split: the proof, made on what is written."""

    def occurrences(item: tuple[str, Record]) -> Iterator[tuple[tuple[str, bytes], str]]:
        split, record = item
        yield ("shared_images", record.image), split
        yield ("shared_sessions", recipe.group_of(record.member.session).encode()), split

    return (
        placed
        | "occurrences" >> beam.FlatMap(occurrences)
        | "by value" >> beam.GroupByKey()
        | "in several splits" >> beam.Map(lambda item: ((item[0][0],), int(len(set(item[1])) > 1)))
    )


def build(pipeline: beam.Pipeline, what: Build) -> tuple[beam.PCollection, beam.PCollection, beam.PCollection]:
    """All steps.

    Returns:
      (split, Record) of our own splits; Records of all sources as they stand; the certificate, one element.
    """
    read = (
        pipeline
        | "sources" >> beam.Create(what.sources.sources, reshuffle=True)
        | "read" >> beam.ParDo(ReadSource(what)).with_outputs("report", "digest", main="records")
    )
    decided = decide(read.records)
    counts = decided | "count fates" >> beam.Map(
        lambda item: (("fate", item[1], item[0].member.capture, str(item[0].member.label)), 1)
    )
    kept = decided | "kept" >> beam.Filter(lambda item: item[1] == Fate.KEPT) | "records" >> beam.Keys()
    placed = place(kept, what.plan)
    sizes = placed | "count splits" >> beam.Map(lambda item: (("split", item[0], str(item[1].member.label)), 1))
    digests = placed | "digests" >> beam.Map(
        lambda item: (
            ("fingerprint",),
            recipe.digest(item[0], item[1].member.session, item[1].member.label, item[1].image),
        )
    )
    summed = (
        (counts, sizes, shared(placed), digests)
        | "all counts" >> beam.Flatten()
        | "sum" >> beam.CombinePerKey(lambda values: sum(values) % recipe.MODULUS)
    )
    certificate = (
        pipeline
        | "once" >> beam.Create([what])
        | "certify"
        >> beam.Map(
            _certificate,
            beam.pvalue.AsList(summed),
            beam.pvalue.AsList(read.report),
            beam.pvalue.AsList(read.digest),
        )
    )
    return placed, read.records, certificate


def _certificate(
    what: Build, counted: list[Counted], reports: list[CaptureReport], digests: list[tuple[str, str]]
) -> dict[str, Any]:
    """The Certificate as JSON values. Raises DataError where a class is empty or splits share something."""
    names = [*what.sources.class_names, UNLABELLED_NAME]  # -1 is the last
    values = dict(counted)
    fates = Counter({(Fate(key[1]), key[2], int(key[3])): count for key, count in values.items() if key[0] == "fate"})
    sizes: dict[str, dict[str, int]] = {split: {} for split in recipe.SPLITS}
    for key, count in sorted(values.items()):
        if key[0] == "split":
            sizes[key[1]][names[int(key[2])]] = count
    proof = {name: values.get((name,), 0) for name in ("shared_images", "shared_sessions")}
    recipe.check_classes(sizes, what.sources.class_names)
    recipe.check_proof(**proof)
    facts = DataFacts(
        source_kind="",
        class_names=what.sources.class_names,
        representation=what.representation,
        representation_version=REPRESENTATIONS[what.representation].version,
        unit=what.unit,
        rules=what.rules,
        split=split_facts(what.plan, what.sources.not_served),
        recipe=recipe.VERSION,
        fingerprint=recipe.fingerprint([values.get(("fingerprint",), 0)]),
        sizes={split: sum(sizes[split].values()) for split in recipe.SPLITS},
        class_sizes=sizes,
        **proof,
    )
    return typed_json.builtins(
        Certificate(
            facts,
            capture_rows(reports, fates, what.sources.class_names),
            source_fingerprint(digests),
        )
    )
