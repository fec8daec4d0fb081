"""The shortcut audit as a table, a JSON file and a picture."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from clgan_tf.evaluation.audit import CONTENT, FOLDS, GROUPS, Finding
from clgan_tf.files import write_json
from clgan_tf.reporting.figures import audit_figure, save


def table(findings: list[Finding], overlaps: dict[str, dict[str, int]]) -> str:
    """Markdown: accuracy of each group alone beside the majority class, what splits share, and warnings."""
    lines = ["| Field group | lookup | tree | majority class |", "|---|---|---|---|"]
    lines += [
        f"| {finding.group} | {finding.lookup:.1%} | {finding.tree:.1%} | {finding.majority:.1%} |"
        for finding in findings
    ]
    seen = {finding.group for finding in findings}
    lines += [f"| {group} | not in this representation | | |" for group in GROUPS if group not in seen]
    lines.append("")
    for name, counts in overlaps.items():
        text = ", ".join(f"{key.replace('_', ' ')} {count:,}" for key, count in counts.items())
        lines.append(f"{name}: {text}.")
    lines += [f"Warning: {warning}" for warning in warnings(findings, overlaps)]
    return "\n".join(lines)


def warnings(findings: list[Finding], overlaps: dict[str, dict[str, int]]) -> list[str]:
    """One sentence for each group that nearly decides the class, and for splits that share images."""
    found = []
    for finding in findings:
        if finding.is_shortcut:
            what = "it is content, but so simple that no network is needed"
            if finding.group not in CONTENT:
                what = "it names hosts or moments, so scores on this data say little about other networks"
            found.append(f"{finding.group} alone is right for {finding.accuracy:.1%} of sessions; {what}.")
    for name, counts in overlaps.items():
        if counts["images_in_several_splits"]:
            found.append(
                f"{name} share {counts['images_in_several_splits']:,} images: a test on them is partly recall."
            )
    return found


def write(
    findings: list[Finding], overlaps: dict[str, dict[str, int]], facts: dict[str, Any], path: Path
) -> list[Path]:
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
    write_json(path, values)
    picture = path.with_suffix(".png")
    title = f"What each field group alone tells\n{facts['source_kind']}, {facts['representation']}"
    save(audit_figure(findings, title), picture)
    return [path, picture]
