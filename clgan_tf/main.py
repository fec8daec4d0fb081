"""The command line: flags -> settings -> one call a mode."""

import sys
from contextlib import redirect_stdout
from importlib import import_module

from absl import flags as absl_flags

from clgan_tf import __version__, flags
from clgan_tf.common.errors import ConfigError, UserError
from clgan_tf.common.interruption import Terminated, raised_when_safe
from clgan_tf.common.output import UntilClosed, open_standard_streams
from clgan_tf.common.quiet import import_tensorflow
from clgan_tf.common.setting import Settings

HELP = {"--help", "-help", "-h", "--helpfull", "--helpshort"}
TRAINING = {"pretrain", "train"}


def main(arguments: list[str] | None = None) -> int:
    """Runs the modes of `arguments` (default: the process's own); returns the exit status.

    0: done; 1: something given could not be used; 2: a flag is wrong; 3: done, but a capture was damaged
    and could not be read to its end; 130: stopped with Ctrl-C; 141: the reader of the labels went away before
    their end; 143: stopped with SIGTERM.
    """
    open_standard_streams()
    with redirect_stdout(UntilClosed(sys.stdout)), raised_when_safe():  # type: ignore[type-var]
        status = _main(sys.argv[1:] if arguments is None else arguments)
        sys.stdout.flush()
    return status


def _main(arguments: list[str]) -> int:
    values = absl_flags.FlagValues()
    flags.define(values)
    if HELP & set(arguments) or not arguments:
        print(flags.help_text(values))
        return 0
    if "--version" in arguments:
        print(f"clgan_tf {__version__}")
        return 0
    try:
        flags.parse(values, arguments)
        modes = flags.modes(values)
        # All settings are read before any work, so that a wrong flag is told at once.
        settings = {mode: flags.settings_of(mode, values) for mode in modes}
        source = flags.settings_of("prepare", values) if TRAINING & set(modes) and values.source else None
        flags.refuse_unused(values, modes, arguments, prepares=source is not None)
        is_damaged = _run(settings, source)
    except UserError as error:
        print(f"clgan-tf: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt as stop:
        hint = " The training continues with --resume and the same --run_dir." if TRAINING & set(values.mode) else ""
        print(f"clgan-tf: stopped.{hint}", file=sys.stderr)
        return 143 if isinstance(stop, Terminated) else 130
    except BrokenPipeError:
        return 141
    except OSError as error:
        print(
            f"clgan-tf: {error.filename or 'standard output'}: {error.strerror}; change that and run it again.",
            file=sys.stderr,
        )
        return 1
    return 3 if is_damaged else 0


def _run(settings: dict[str, Settings], source_of_training: Settings | None) -> bool:
    import_tensorflow(alone=True)
    is_damaged = False
    for mode, given in settings.items():
        also = [source_of_training] if mode in TRAINING else []
        is_damaged |= bool(import_module(f"clgan_tf.commands.{mode}").run(given, *also))
    return is_damaged


if __name__ == "__main__":
    sys.exit(main())
