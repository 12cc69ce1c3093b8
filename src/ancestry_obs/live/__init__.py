"""The live view of a program that serves metrics, for `ancestry-obs top`.

The path: `page_reader` reads a page; `rates` reckons between two scrapes, with `joined` for what
feeds what; `rows` has the numbers, `view` what keys have made of the view, `screen` the lines, and
`looking` the loop. Who asks the exporter, and what a terminal is, come from outside.
"""

from __future__ import annotations
