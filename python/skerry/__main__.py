"""`python -m skerry VERB ...`: the command line, found beside this package or on the path."""

import os
import shutil
import sys
from pathlib import Path


def program() -> str:
    """Where the `skerry` program is: in the build tree of this package, else wherever the shell would find it."""
    built = Path(__file__).parent.absolute().parent.parent / "apps" / "cli" / "skerry"
    found = str(built) if os.access(built, os.X_OK) else shutil.which("skerry")
    if found is None:
        sys.exit(
            "skerry: the program `skerry` is not on the path; install it from a release or build it by ./dev build"
        )
    return found


if __name__ == "__main__":
    path = program()
    os.execv(path, [path, *sys.argv[1:]])
