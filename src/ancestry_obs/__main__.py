"""`python -m ancestry_obs` is the command `ancestry-obs`."""

import sys

from ancestry_obs.cli import main

if __name__ == "__main__":
    sys.exit(main())
