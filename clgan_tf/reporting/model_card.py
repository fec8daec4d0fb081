"""The model card: what a classifier is, what it was trained on, and what it is not for."""

from clgan_tf.capture import REPRESENTATIONS
from clgan_tf.models import title
from clgan_tf.reporting.tables import choice_text, circumstances, classes_table, reliability_text, systems_table
from clgan_tf.runs.result import RunResult


def model_card(result: RunResult) -> str:
    """Markdown for model_card.md."""
    data = result.data
    return f"""# {title(result.model)} classifier

Labels TCP and UDP {data.unit}s with one of {len(data.class_names)} classes:
{", ".join(data.class_names)}.

**Trained on** {circumstances(result)}

**Reads** 28 x 28 bytes of a {data.unit} as `{data.representation}` version
{data.representation_version}: {REPRESENTATIONS[data.representation].note}

**Test split**, read once, model chosen on labels of the budget (seed {result.settings.seed}):

{systems_table([result])}

{classes_table(result.scores)}

{choice_text(result)} {reliability_text(result.scores)}

**Not for**: deciding about people. A session of a class that was not in training is called `unknown` only if it is
less familiar than `--reject` asks for (docs/unknown.md); another network, time or capture point lowers scores.
"""
