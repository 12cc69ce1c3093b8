"""`python -m ancestry_core` is the `ancestry` command."""

import sys

from ancestry_core.main import main

if __name__ == "__main__":
    sys.exit(main())
