"""A saved classifier in a format that other programs run."""

from clgan_tf import serving
from clgan_tf.settings import ExportSettings


def run(settings: ExportSettings) -> None:
    """Writes the saved classifier in a format that other programs run."""
    serving.export(serving.load(settings.classifier_path), settings.format, settings.output)
    print(f"Written: {settings.output}; docs/export.md shows how to run it.")
