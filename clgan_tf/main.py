"""The command line: flags -> settings -> one call a mode."""

import sys

from absl import flags as absl_flags

from clgan_tf import flags
from clgan_tf.common.errors import ConfigError, UserError
from clgan_tf.common.quiet import import_tensorflow
from clgan_tf.common.setting import Settings

HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}
TRAINING = {"pretrain", "train"}


def main(arguments: list[str] | None = None) -> int:
    """Runs the modes of `arguments` (default: the process's own); returns the exit status.

    0: done; 1: something given could not be used; 2: a flag is wrong; 3: done, but a capture was damaged or
    gave nothing, as the warnings say; 130: stopped with Ctrl-C.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    values = absl_flags.FlagValues()
    flags.define(values)
    if HELP & set(arguments):
        print(flags.help_text(values))
        return 0
    try:
        flags.parse(values, arguments)
        modes = flags.modes(values)
        # All settings are read before any work, so that a wrong flag is told at once.
        settings = {mode: flags.settings_of(mode, values) for mode in modes}
        source = flags.settings_of("prepare", values) if TRAINING & set(modes) and values.source else None
        warnings = _run(settings, source)
    except UserError as error:
        print(f"clgan-tf: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        hint = " The training continues with the same flags and --resume." if TRAINING & set(values.mode) else ""
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


def _run(settings: dict[str, Settings], source_of_training: Settings | None) -> list[str]:
    import_tensorflow()
    from clgan_tf import commands

    warnings: list[str] = []
    for mode, given in settings.items():
        also = [source_of_training] if mode in TRAINING else []
        warnings += getattr(commands, f"run_{mode}")(given, *also) or []
    return warnings


if __name__ == "__main__":
    sys.exit(main())
