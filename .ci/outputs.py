"""Execute notebooks in place and keep their outputs, less progress bars and messages of the Jupyter kernel.

`make outputs NOTEBOOKS='01_data proofs/faults'`
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from nbconvert.preprocessors import ExecutePreprocessor

ROOT = Path(__file__).resolve().parents[1]
WIDGET = 'application/vnd.jupyter.widget-view+json'


def stored(output) -> bool:
    "Whether an output is worth keeping."
    return WIDGET not in output.get('data', {}) and output.get('name') != 'stderr'


for name in sys.argv[1:]:
    path = ROOT/'nbs'/Path(name).with_suffix('.ipynb')
    nb = nbformat.read(path, as_version=4)
    ExecutePreprocessor(timeout=3600).preprocess(nb, {'metadata': {'path': str(path.parent)}})
    for cell in nb.cells:
        if cell.cell_type == 'code':
            cell.outputs = [o for o in cell.outputs if stored(o)]
    nb.metadata.pop('widgets', None) # the state of the progress bars
    draft = dict(dir=path.parent, prefix='.', suffix='.tmp', delete=False, encoding='utf-8')
    with tempfile.NamedTemporaryFile('w', **draft) as f:
        nbformat.write(nb, f)
    Path(f.name).replace(path)
    subprocess.run([Path(sys.executable).parent/'nbdev_clean', '--fname', path], check=True, cwd=ROOT)
    print(f'{path.name}: executed, outputs stored')
