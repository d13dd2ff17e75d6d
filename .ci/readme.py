"README.md from nbs/index.ipynb, without Quarto. `--check` only tells whether it is in step."
import re
import sys
from pathlib import Path

import nbformat
from nbconvert import MarkdownExporter

ROOT = Path(__file__).resolve().parents[1]


def directives(cell) -> set[str]:
    "The `#| ...` lines at the top of a code cell."
    lines = cell.source.splitlines() if cell.cell_type == 'code' else []
    return {m[1].strip() for line in lines if (m := re.match(r'#\|\s*(.*)', line))}


def prepared(nb):
    "Drop hidden cells and directives; keep what a reader of the rendered page sees."
    nb.cells = [c for c in nb.cells if not directives(c) & {'hide', 'include: false'}]
    for cell in nb.cells:
        if cell.cell_type != 'code': continue
        cell.metadata['hide_input'] = 'echo: false' in directives(cell)
        cell.source = '\n'.join(line for line in cell.source.splitlines() if not line.startswith('#|')).strip()
        for out in cell.outputs:
            data = out.get('data', {})
            if 'text/markdown' in data: out['data'] = {'text/markdown': data['text/markdown']}
    return nb


def readme() -> str:
    "The text of README.md."
    nb = prepared(nbformat.read(ROOT/'nbs'/'index.ipynb', as_version=4))
    parts = []
    for cell in nb.cells:
        hidden = cell.metadata.get('hide_input', False)
        exporter = MarkdownExporter(exclude_input=hidden, exclude_input_prompt=True, exclude_output_prompt=True)
        one = nbformat.v4.new_notebook(cells=[cell], metadata=nb.metadata)
        parts.append(exporter.from_notebook_node(one)[0].strip('\n'))
    text = '\n\n'.join(p for p in parts if p.strip()) + '\n'
    text = re.sub(r'\]\((?!https?:|#|mailto:|nbs/)([^)]+)\)', r'](nbs/\1)', text)  # links of the notebook's folder
    return '<!-- Written by `make readme` from nbs/index.ipynb: edit that. -->\n\n' + re.sub(r'\n{3,}', '\n\n', text)


if __name__ == '__main__':
    path = ROOT/'README.md'
    if '--check' in sys.argv:
        if path.read_text(encoding='utf-8') != readme(): sys.exit('README.md is not in step with nbs/index.ipynb: run `make readme`.')
    else: path.write_text(readme(), encoding='utf-8')
