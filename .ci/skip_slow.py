"""Loaded by IPython at the start of each kernel of `make lab`: cells marked slow or gpu say so and do nothing.

With DOWNSCALEXR_SLOW=1 they run.
"""
import os
import re


def skip_slow(lines: list[str]) -> list[str]:
    "Replace a cell whose `#|` lines at the top mark it."
    top = re.match(r'(?:\s*#\|.*\n?)*', ''.join(lines))[0]
    marked = re.search(r'^\s*#\|\s*(slow|gpu)\b', top, re.MULTILINE)
    if not marked or os.environ.get('DOWNSCALEXR_SLOW') == '1':
        return lines
    return [f'print("Skipped, it is marked {marked[1]}: `DOWNSCALEXR_SLOW=1 make lab` runs such cells, too.")\n']


if 'get_ipython' in globals():
    get_ipython().input_transformers_cleanup.append(skip_slow)  # noqa: F821
