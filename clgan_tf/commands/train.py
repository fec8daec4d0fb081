"""A data set to a trained run, whose test split is read once."""

from clgan_tf.commands.prepare import dataset_of
from clgan_tf.commands.pretrain import help_along
from clgan_tf.commands.scoring import print_results, score
from clgan_tf.models import title
from clgan_tf.runs.directory import RunDirectory
from clgan_tf.settings import PrepareSettings, TrainSettings
from clgan_tf.training.run import train
from clgan_tf.training.strategy import is_chief


def run(settings: TrainSettings, source: PrepareSettings | None) -> bool:
    """Prepares the data if need be, trains, reads the test split once and prints the systems side by side."""
    if settings.resume and RunDirectory(settings.run_dir).metrics.exists():
        print(f"{settings.run_dir} is finished: there is nothing to resume.")
        return False
    if not is_chief(settings.strategy):
        return help_along(settings)
    dataset, is_damaged = dataset_of(settings.dataset, source)
    trained = train(settings, dataset, source)
    print_results(score(trained, dataset, settings.score_on), trained.run, trained.run)
    if not trained.run.classifier.exists():
        print(f"{title(settings.model)} leaves no classifier.keras: it is there to be compared with.")
    return is_damaged
