"""The shortcut audit as a table, a JSON file and a picture."""

from dataclasses import asdict
from pathlib import Path

from clgan_tf.capture.representation import FieldGroup
from clgan_tf.common import typed_json
from clgan_tf.data.description import DataFacts
from clgan_tf.evaluation.audit import FOLDS, Finding
from clgan_tf.reporting import markdown
from clgan_tf.reporting.figures import audit_figure, save


def table(findings: list[Finding], overlaps: dict[str, dict[str, int]]) -> str:
    """Markdown: accuracy of each group alone beside the majority class, what splits share, and warnings."""
    rows = [
        [finding.group, f"{finding.lookup:.1%}", f"{finding.tree:.1%}", f"{finding.majority:.1%}"]
        for finding in findings
    ]
    seen = {finding.group for finding in findings}
    rows += [[group, "not in this representation", "", ""] for group in FieldGroup if group not in seen]
    lines = [markdown.table(["Field group", "lookup", "tree", "majority class"], rows), ""]
    for name, counts in overlaps.items():
        text = ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in counts.items())
        lines.append(f"{name}: {text}.")
    lines += [f"Warning: {warning}" for warning in warnings(findings, overlaps)]
    return "\n".join(lines)


def warnings(findings: list[Finding], overlaps: dict[str, dict[str, int]]) -> list[str]:
    """One sentence for each group that nearly decides the class, and for splits that share images."""
    sentences = []
    for finding in findings:
        if finding.is_shortcut:
            what = "it is content, but so simple that no network is needed"
            if not finding.group.is_content:
                what = "it names hosts or moments, so scores on this data say little about other networks"
            sentences.append(f"{finding.group} alone is right for {finding.accuracy:.1%} of sessions; {what}.")
    for name, counts in overlaps.items():
        if counts["images_in_several_splits"]:
            sentences.append(
                f"{name} share {counts['images_in_several_splits']:,} images: a test on them is partly recall."
            )
    return sentences


def write(findings: list[Finding], overlaps: dict[str, dict[str, int]], facts: DataFacts, path: Path) -> list[Path]:
    """Writes FILE.json and FILE.png; returns both."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [{**asdict(finding), "accuracy": finding.accuracy, "shortcut": finding.is_shortcut} for finding in findings]
    values = {
        "data": facts,
        "folds": FOLDS,
        "groups": rows,
        "overlaps": overlaps,
        "warnings": warnings(findings, overlaps),
    }
    typed_json.write(path, values)
    picture = path.with_suffix(".png")
    title = f"What each field group alone tells\n{facts.source_kind}, {facts.representation}"
    save(audit_figure(findings, title), picture)
    return [path, picture]
