"""Starts the fork server or the supervisor, without importing the rest of the package.

Run as a program: ``python -s -S -P -B boot.py zygote``. It holds itself to the standard library and to
the folder that it lies in.
"""

import os
import sys
import types


def main() -> None:
    """Make the package's name stand for this folder alone, and run what the argument names."""
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for name, path in (("referee", []), ("referee.sandbox", [here])):
        module = types.ModuleType(name)
        module.__path__ = path
        sys.modules[name] = module
    if sys.argv[1] == "supervisor":
        from referee.sandbox.inside import supervisor

        supervisor.main()
    else:
        from referee.sandbox.inside import zygote

        zygote.main()


if __name__ == "__main__":
    main()
