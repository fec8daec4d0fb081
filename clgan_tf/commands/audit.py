"""What headers alone tell of a data set, and what its splits share."""

from pathlib import Path

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.commands.prepare import print_captures
from clgan_tf.data.examples import Examples
from clgan_tf.data.recipe import OWN_SPLITS
from clgan_tf.data.registered import open_any
from clgan_tf.evaluation import audit
from clgan_tf.reporting import audit_report
from clgan_tf.settings import AuditSettings


def run(settings: AuditSettings) -> None:
    """How much groups of header fields alone tell, and what splits share; written as JSON and as a picture."""
    dataset = open_any(settings.dataset)
    dataset.require_classes()
    facts = dataset.facts
    own = {split: dataset.read(split) for split in OWN_SPLITS}
    published = {split: dataset.read(split) for split in facts.sizes if split.startswith("published_")}
    findings = audit.audit(Examples.concatenate(list(own.values())), REPRESENTATIONS[facts.representation])
    overlaps = {", ".join(splits): audit.overlap(splits) for splits in (own, published) if splits}
    count = sum(map(len, own.values()))
    print(f"{settings.dataset}: {count:,} labelled sessions, fingerprint {facts.fingerprint[:16]}")
    print()
    print(audit_report.table(findings, overlaps))
    print_captures(dataset)
    path = Path("runs/audits") / f"{facts.fingerprint[:16]}.json"
    path = path if settings.output == "-" else Path(settings.output)
    for written in audit_report.write(findings, overlaps, facts, path):
        print(f"Written: {written}")
