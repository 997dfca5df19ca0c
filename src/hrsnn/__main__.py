"""`python -m hrsnn` is the command `hrsnn`."""

import sys

from hrsnn.cli import main

if __name__ == "__main__":
    sys.exit(main())
