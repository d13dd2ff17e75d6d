"""Execute notebooks in place and keep their outputs, less progress bars and messages of the Jupyter kernel.

`make outputs NOTEBOOKS='01_data proofs/faults'`; cells marked `#| slow` are skipped and keep what they have stored,
unless `--slow` stands before the names. Figures are stored with twice the pixels that they are shown at.
"""
import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor
from readme import directives

ROOT = Path(__file__).resolve().parents[1]
WIDGET = 'application/vnd.jupyter.widget-view+json'
TWICE = '--InlineBackend.figure_formats=retina'  # an option of the kernel, so that no notebook asks for it


def stored(output) -> bool:
    "Whether an output is worth keeping."
    return WIDGET not in output.get('data', {}) and output.get('name') != 'stderr'


def slow(cell) -> bool:
    "Whether a cell is marked as slow."
    return 'slow' in directives(cell)


class Executor(ExecutePreprocessor):
    "Runs the cells of a notebook, slow ones only if asked for."
    def __init__(self, with_slow: bool, **kwargs):
        super().__init__(timeout=3600, extra_arguments=[TWICE], **kwargs)
        self.with_slow = with_slow

    def preprocess_cell(self, cell, resources, index):
        if slow(cell) and not self.with_slow:
            return cell, resources
        cell, resources = super().preprocess_cell(cell, resources, index)
        if cell.cell_type == 'code':
            cell.outputs = [o for o in cell.outputs if stored(o)]
        return cell, resources


def store(path: Path, with_slow: bool):
    "Execute one notebook in place."
    nb = nbformat.read(path, as_version=4)
    Executor(with_slow).preprocess(nb, {'metadata': {'path': str(path.parent)}})
    nb.metadata.pop('widgets', None)  # the state of the progress bars
    draft = dict(dir=path.parent, prefix='.', suffix='.tmp', delete=False, encoding='utf-8')
    with tempfile.NamedTemporaryFile('w', **draft) as f:
        nbformat.write(nb, f)
    Path(f.name).replace(path)
    subprocess.run([Path(sys.executable).parent/'nbdev_clean', '--fname', path], check=True, cwd=ROOT)
    skipped = 0 if with_slow else sum(slow(c) for c in nb.cells)
    print(f'{path.name}: executed, outputs stored' + f'; {skipped} slow cells kept theirs'*(skipped > 0))


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--slow', action='store_true', help='run the slow cells, too')
    parser.add_argument('notebooks', nargs='+', help="below nbs/, with or without ending: '01_data'")
    asked = parser.parse_args()
    for name in asked.notebooks:
        store(ROOT/'nbs'/Path(name).with_suffix('.ipynb'), asked.slow)
