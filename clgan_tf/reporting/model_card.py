"""The model card: what a classifier is, what it was trained on, and what it is not for."""

from typing import Any

from clgan_tf.reporting.tables import circumstances, classes_table, systems_table

REPRESENTATION_NOTES = {
    "masked": "IP header to payload, with addresses, ports, checksums, IP identification and TCP numbers set to zero. "
    "Lengths, TTL and TCP options remain and can still tell hosts apart.",
    "l7": "Transport payloads alone. Server names in the clear (TLS, DNS) are part of it.",
    "all_layers": "Capture time stamps, addresses and link type are part of it, and they alone can identify the "
    "class: scores do not carry over to another capture.",
}


def model_card(metrics: dict[str, Any]) -> str:
    """Markdown for model_card.md."""
    data = metrics["data"]
    name, scores = next(iter(metrics["systems"].items()))
    return f"""# {name.upper()} classifier

Labels TCP and UDP {data["unit"]}s with one of {len(data["class_names"])} classes:
{", ".join(data["class_names"])}.

**Trained on** {circumstances(metrics)}

**Reads** the first 784 bytes of a {data["unit"]} as `{data["representation"]}` version
{data["representation_version"]}: {REPRESENTATION_NOTES[data["representation"]]}

**Test split**, read once, model chosen on validation (seed {metrics["seeds"]["run"]}):

{systems_table([metrics])}

{classes_table(scores)}

**Not for**: deciding about people. A session of a class that was not in training still gets one of the
labels above; probabilities are not calibrated; another network, time or capture point lowers scores.
"""
