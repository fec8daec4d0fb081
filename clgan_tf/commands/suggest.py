"""Which sessions of captures are worth a label next."""

from collections import Counter

from clgan_tf import serving
from clgan_tf.capture.sources import find
from clgan_tf.common import progress
from clgan_tf.common.errors import DataError
from clgan_tf.data import label_file
from clgan_tf.serving import suggestion
from clgan_tf.settings import SuggestSettings


def run(settings: SuggestSettings) -> bool:
    """Writes which sessions of the captures are worth a label next."""
    classifier = serving.load(settings.classifier_path)
    known = label_file.read(settings.session_labels, least_classes=0) if settings.session_labels else None
    paths = find(settings.captures)
    with progress.captures_bar("Choosing", paths) as show:
        rows = serving.suggest(classifier, paths, settings.count, known, settings.seed, show)
    for warning in classifier.warnings:
        progress.warn(warning)
    if not rows:
        raise DataError("The captures hold no session that is without a label and in doubt.")
    suggestion.write(rows, settings.output)
    guesses = Counter(row["guess"] for row in rows).most_common()
    print(f"{len(rows):,} sessions; guessed: {', '.join(f'{name} {number:,}' for name, number in guesses)}.")
    print(f"Written: {settings.output}; fill in its column `label`, and give it to prepare as --session_labels.")
    return classifier.is_damaged
