"""The command line: one thin function per verb, which calls the room that does the work."""

import os
import sys
from collections.abc import Sequence

from leadline.cli.arguments import EXIT_USAGE, read_arguments
from leadline.cli.messages import one_line

EXIT_INTERRUPTED = 130
"""What a shell reports of a program ended by Ctrl-C."""
SPINS = "10000"
"""How often an OpenMP thread looks for work before it sleeps. The default of GNU burns the
core that a neighbour needs: beside two busy processes a training step takes two thirds longer, on
a quiet machine it gains nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb; whatever a user can cause ends in one clear line, never in a traceback.

    The environment variable `LEADLINE_TRACEBACK` brings the traceback back.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", SPINS)  # Read once, when a verb imports torch.
    options = read_arguments(sys.argv[1:] if arguments is None else arguments)
    try:
        code = int(options.verb(options) or 0)
        sys.stdout.flush()
    except KeyboardInterrupt:
        print("leadline: interrupted; the same command goes on from here", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has seen enough; nothing may be written on the way out.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, RuntimeError, ImportError, MemoryError) as error:
        if os.environ.get("LEADLINE_TRACEBACK"):
            raise
        print(f"leadline: {one_line(error)}", file=sys.stderr)
        return EXIT_USAGE
    return code
