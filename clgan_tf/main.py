"""The command line: flags -> configuration -> one call a mode."""

import sys
from collections.abc import Callable
from typing import Any

from absl import flags

from clgan_tf import config
from clgan_tf.errors import UserError
from clgan_tf.quiet import import_tensorflow

HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}


def main(arguments: list[str] | None = None) -> int:
    """Runs the modes of `arguments` (default: the process's own); returns the exit status.

    0: done; 1: something given could not be used; 2: a flag is wrong; 3: done, but a capture was damaged or
    gave nothing, as the warnings say; 130: stopped with Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    values = flags.FlagValues()
    config.define_flags(values)
    if HELP & set(arguments):
        print(config.help_text(values))
        return 0
    try:
        rest = config.parse(values, arguments)
        if rest:
            raise config.ConfigError(f"{rest[0]} is no flag; every setting begins with --.")
        # All settings are read before any work, so that a wrong flag is told at once.
        settings = {mode: SETTINGS[mode](values) for mode in config.modes(values)}
        warnings = [warning for mode, value in settings.items() for warning in _run(mode, value, values)]
    except UserError as error:
        print(f"clgan-tf: {error}", file=sys.stderr)
        return 2 if isinstance(error, config.ConfigError) else 1
    except KeyboardInterrupt:
        hint = " The training continues with the same flags and --resume." if "train" in values.mode else ""
        print(f"clgan-tf: stopped.{hint}", file=sys.stderr)
        return 130
    except BrokenPipeError:  # The reader of standard output has seen enough.
        sys.stderr.close()
        return 0
    except OSError as error:
        print(
            f"clgan-tf: {error.filename or 'a file'}: {error.strerror}; nothing half-written remains.", file=sys.stderr
        )
        return 1
    return 3 if warnings else 0


SETTINGS: dict[str, Callable[[flags.FlagValues], Any]] = {
    "prepare": config.prepare_config,
    "audit": config.audit_config,
    "train": config.train_config,
    "sweep": config.sweep_config,
    "evaluate": config.evaluate_config,
    "classify": config.classify_config,
    "report": config.report_config,
}


def _run(mode: str, settings: Any, values: flags.FlagValues) -> list[str]:
    import_tensorflow()
    from clgan_tf import commands

    if mode == "train":
        source = config.prepare_config(values) if values.source else None
        return commands.run_train(settings, source, config.resolved_flagfile(settings.run_dir, values))
    return getattr(commands, f"run_{mode}")(settings) or []


if __name__ == "__main__":
    sys.exit(main())
