"""Beam steps from captures to leak-free splits, with a certificate; the same on one machine and on a cluster.

An element is a Record; every decision about it is a function of its bytes, its session and a seed, never of order,
so that any number of workers gives the same data.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np

from clgan_tf import capture
from clgan_tf.capture import SessionRules
from clgan_tf.data import idx
from clgan_tf.data.examples import UNLABELLED
from clgan_tf.errors import CaptureError

Counted = tuple[tuple[str, ...], int]  # what was counted, and how often


class Record(NamedTuple):
    """One session: its image's 784 bytes, label (-1 = none), capture, session identifier, length, published part."""

    image: bytes
    label: int
    capture: str
    session: str
    num_bytes: int
    published: str = ""

    @property
    def group(self) -> str:
        """What must stay in one split: both flows of a session."""
        return self.session.partition("#")[0]

    def features(self) -> dict[str, Any]:
        """The example as TFDS takes it."""
        return {
            "image": np.frombuffer(self.image, np.uint8).reshape(28, 28, 1),
            "label": self.label,
            "capture": self.capture,
            "session": self.session,
            "num_bytes": self.num_bytes,
        }


@dataclass(frozen=True)
class Source:
    """A capture file, or a published pair of idx files, and the label of its sessions (added to those of idx files)."""

    path: str
    name: str  # as it stands in the example's `capture`
    label: int
    labels_path: str = ""  # idx: beside path, the images
    published: str = ""  # idx: "train" or "test"
    label_map: tuple[int, ...] = ()  # idx: the label of each of the published ones


@dataclass(frozen=True)
class Plan:
    """How sessions become splits. fractions: of test and validation; capture_splits: fixed by capture, if not empty."""

    seed: int
    test_fraction: float
    validation_fraction: float
    cap_per_class: int
    capture_splits: dict[str, str]

    def split(self, record: Record) -> str:
        """The split a record belongs to: validation takes its fraction of what test leaves."""
        if record.label == UNLABELLED:
            return "unlabelled"
        if self.capture_splits:
            return self.capture_splits[record.capture]
        place = uniform(f"split/{self.seed}/{record.group}")
        if place < self.test_fraction:
            return "test"
        rest = (place - self.test_fraction) / (1 - self.test_fraction)
        return "validation" if rest < self.validation_fraction else "train"


def uniform(text: str) -> float:
    """A number in [0, 1) that the text decides."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56


class ReadSource(beam.DoFn):
    """Source -> Records; tagged `report`: what the capture held; tagged `digest`: the file's SHA-256."""

    def __init__(self, unit: str, representation: str, rules: SessionRules) -> None:
        super().__init__()
        self.unit, self.representation, self.rules = unit, representation, rules

    def process(self, source: Source) -> Iterator[Any]:
        """Yields the source's sessions, a part at a time."""
        for path in filter(None, (source.path, source.labels_path)):
            yield beam.pvalue.TaggedOutput("digest", (source.name, _digest(Path(path))))
        if source.labels_path:
            yield from self._published(source)
            return
        flows: list[capture.Sessions] = []
        part, count = None, 0
        try:
            for part in capture.stream(source.path, self.representation, self.unit, rules=self.rules):
                count += len(part)
                if self.unit == "flow":  # A flow is named after its session, whose other flow may be in another part.
                    flows.append(part)
                else:
                    yield from _records(part, source)
        except CaptureError:
            if part is None or not part.ends_capture:  # Otherwise it only has no session: the report says so.
                raise
        if flows:
            yield from _records(capture.concatenate(flows), source)
        report = {
            "capture": source.name,
            "packets": part.packets_read,
            "drops": part.drops,
            "sessions": count,
            "warnings": [warning.replace(source.path, source.name) for warning in part.warnings],
        }
        yield beam.pvalue.TaggedOutput("report", report)

    def _published(self, source: Source) -> Iterator[Record]:
        images = idx.read_images(Path(source.path))
        labels = idx.read_labels(Path(source.labels_path)) + source.label
        if source.label_map:
            labels = np.array(source.label_map)[labels]
        for row, (image, label) in enumerate(zip(images.reshape(len(images), 784), labels.tolist(), strict=True)):
            data = image.tobytes()
            session = f"{hashlib.sha256(data).hexdigest()[:32]}/{source.name}/{row}"
            yield Record(data, label, source.name, session, len(data.rstrip(b"\0")), source.published)


def _digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _records(sessions: capture.Sessions, source: Source) -> Iterator[Record]:
    for image, session, num_bytes in zip(
        sessions.images, sessions.identifiers(), sessions.num_bytes.tolist(), strict=True
    ):
        yield Record(image.tobytes(), source.label, source.name, str(session), num_bytes)


def _preference(record: Record) -> tuple[bool, str, str, bytes]:
    """Of equal images a labelled one stays, and of those the one with the smallest identifier."""
    return record.label == UNLABELLED, record.session, record.capture, record.image


def _one(records: Iterable[Record], distinct: Any) -> Iterator[Any]:
    """One record for every value of `distinct`, or none where two labels meet; counts the others by class."""
    found = sorted(records, key=_preference)
    if len({record.label for record in found if record.label != UNLABELLED}) > 1:
        for record in found:
            yield beam.pvalue.TaggedOutput("count", (("conflicts", str(record.label)), 1))
        return
    seen = set()
    for record in found:
        value = distinct(record)
        # A session that several captures hold stays as one of them has it: its flows must not come apart.
        if value in seen or record.capture != found[0].capture:
            yield beam.pvalue.TaggedOutput("count", (("duplicates", str(record.label)), 1))
        else:
            seen.add(value)
            yield record


def deduplicate(records: beam.PCollection) -> tuple[beam.PCollection, list[beam.PCollection]]:
    """One session of every image, one image of every session, none with two labels; and the counts of the rest."""
    counts = []
    for name, key, distinct in (
        ("session", lambda record: record.group, lambda record: record.session),
        ("image", lambda record: record.image, lambda record: record.image),
    ):
        grouped = records | f"by {name}" >> beam.GroupBy(key)
        outputs = grouped | f"one of each {name}" >> beam.FlatMap(
            lambda item, distinct: _one(item[1], distinct), distinct
        ).with_outputs("count", main="kept")
        records = outputs.kept
        counts.append(outputs["count"])
    return records, counts


def cap(records: beam.PCollection, plan: Plan) -> beam.PCollection:
    """A uniform sample of at most `cap_per_class` of every class, which the seed and the sessions decide."""
    return (
        records
        | "key for cap" >> beam.Map(lambda record: (record.label, (uniform(f"cap/{plan.seed}/{record.group}"), record)))
        | "smallest" >> beam.combiners.Top.SmallestPerKey(plan.cap_per_class)
        | "chosen" >> beam.FlatMap(lambda item: [record for _, record in item[1]])
    )


def shared(placed: beam.PCollection) -> beam.PCollection:
    """Counts of images and sessions that are in more than one split: the proof, made on what is written."""

    def occurrences(item: tuple[str, Record]) -> Iterator[tuple[tuple[str, bytes], str]]:
        split, record = item
        yield ("shared_images", record.image), split
        yield ("shared_sessions", record.group.encode()), split

    return (
        placed
        | "occurrences" >> beam.FlatMap(occurrences)
        | "by value" >> beam.GroupByKey()
        | "in several splits" >> beam.Map(lambda item: ((item[0][0],), int(len(set(item[1])) > 1)))
    )


def certificate(
    counts: Iterable[beam.PCollection], reports: beam.PCollection, digests: beam.PCollection, facts: dict[str, Any]
) -> beam.PCollection:
    """One dictionary: sizes before and after, duplicates, conflicts, shared, by class and split; what captures held."""
    summed = tuple(counts) | "all counts" >> beam.Flatten() | "sum" >> beam.CombinePerKey(sum)
    return (
        summed.pipeline
        | "once" >> beam.Create([facts])
        | "certify"
        >> beam.Map(
            _certify,
            beam.pvalue.AsList(summed),
            beam.pvalue.AsList(reports),
            beam.pvalue.AsList(digests),
        )
    )


def _certify(
    facts: dict[str, Any], counts: list[Counted], reports: list[dict[str, Any]], digests: list[tuple[str, str]]
) -> dict[str, Any]:
    names = facts["class_names"]
    found: dict[str, Any] = {"shared_images": 0, "shared_sessions": 0, **facts}
    for key, value in sorted(counts):
        name, *where = key
        if where:
            *split, label = where
            class_name = "unlabelled" if int(label) == UNLABELLED else names[int(label)]
            target = found.setdefault(name, {})
            for part in split:
                target = target.setdefault(part, {})
            target[class_name] = value
        else:
            found[name] = value
    for name in ("duplicates", "conflicts"):
        found.setdefault(name, {})
    listed = sorted(digests)
    text = "\n".join(f"{name}\t{digest}" for name, digest in listed)
    found["source_fingerprint"] = hashlib.sha256(text.encode()).hexdigest()
    found["captures"] = sorted(reports, key=lambda report: report["capture"])
    return found


def build(
    pipeline: beam.Pipeline,
    sources: list[Source],
    plan: Plan,
    unit: str,
    representation: str,
    rules: SessionRules,
    facts: dict[str, Any],
) -> tuple[beam.PCollection, beam.PCollection, beam.PCollection]:
    """All steps.

    Returns:
      (split, Record) of our own splits; Records of published ones; the certificate, one element.
    """
    read = (
        pipeline
        | "sources" >> beam.Create(sources, reshuffle=True)
        | "read" >> beam.ParDo(ReadSource(unit, representation, rules)).with_outputs("report", "digest", main="records")
    )
    before = read.records | "count before" >> beam.Map(lambda record: (("before", str(record.label)), 1))
    kept, counts = deduplicate(read.records)
    if plan.cap_per_class:
        unlabelled = kept | "unlabelled" >> beam.Filter(lambda record: record.label == UNLABELLED)
        labelled = kept | "labelled" >> beam.Filter(lambda record: record.label != UNLABELLED)
        kept = (cap(labelled, plan), unlabelled) | "capped and unlabelled" >> beam.Flatten()
    placed = kept | "place" >> beam.Map(lambda record: (plan.split(record), record))
    after = placed | "count after" >> beam.Map(lambda item: (("after", item[0], str(item[1].label)), 1))
    facts = {**facts, "plan": asdict(plan), "rules": asdict(rules), "unit": unit, "representation": representation}
    proof = certificate([before, after, shared(placed), *counts], read.report, read.digest, facts)
    return placed, read.records, proof
