"README.md from nbs/index.ipynb, without Quarto. `--check` only tells whether it is in step."
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import nbformat
from bs4 import BeautifulSoup

ROOT = Path(__file__).resolve().parents[1]
INI = ConfigParser()
INI.read(ROOT/'settings.ini', encoding='utf-8')
ONLINE = f"{INI['DEFAULT']['git_url']}/blob/{INI['DEFAULT']['branch']}/"  # how the site links files beside nbs
NOTE = '<!-- Written by `make readme` from nbs/index.ipynb: edit that. -->'


def directives(cell) -> set[str]:
    "The `#| ...` lines at the top of a code cell."
    top = re.match(r'(?:\s*#\|.*\n?)*', cell.source)[0]
    return {re.sub(r'\s+', ' ', line.strip()[2:].strip()) for line in top.splitlines() if line.strip()}


def cells(row) -> list[tuple[str, str]]:
    "Kind and text of each cell of a row, once for each column it spans."
    found = row.find_all(['th', 'td'])
    return [(c.name, c.get_text(' ', strip=True)) for c in found for _ in range(int(c.get('colspan', 1)))]


def line(words) -> str:
    "One line of a markdown table."
    return '| ' + ' | '.join(w.replace('|', r'\|') for w in words) + ' |'


def table(html: str) -> str:
    "The first HTML table as a markdown table; header rows of a grouped table are joined."
    rows = [cells(r) for r in BeautifulSoup(html, 'html.parser').table.find_all('tr')]
    head = [r for r in rows if all(name == 'th' for name, _ in r)]
    body = [r for r in rows if r not in head]
    width = max(map(len, rows))
    names = [' '.join(dict.fromkeys(r[i][1] for r in head if i < len(r) and r[i][1])) for i in range(width)]
    align = [':--' if all(r[i][0] == 'th' for r in body) else '--:' for i in range(width)]
    return '\n'.join([line(names), line(align), *(line(text for _, text in r) for r in body)])


def shown(output) -> str:
    "One output of a cell as markdown."
    if output.output_type == 'stream':
        return '' if output.name == 'stderr' else f'```\n{output.text.rstrip()}\n```'
    data = output.get('data', {})
    if 'text/markdown' in data:
        return data['text/markdown'].strip()
    if '<table' in data.get('text/html', ''):
        return table(data['text/html'])
    if 'text/plain' in data and not any(k.startswith('image/') for k in data):
        return f'```\n{data["text/plain"]}\n```'
    sys.exit('index.ipynb: README cannot show a stored figure or error; save the figure under nbs/results and link it '
             'in a markdown cell.')


def parts(cell) -> list[str]:
    "What a reader of the page sees of one cell."
    if cell.cell_type == 'markdown':
        return [cell.source]
    marks = directives(cell)
    if marks & {'hide', 'include: false'}:
        return []
    source = '\n'.join(line for line in cell.source.splitlines() if not line.lstrip().startswith('#|')).strip()
    code = [] if not source or 'echo: false' in marks else [f'```python\n{source}\n```']
    return code + ([] if 'output: false' in marks else [shown(o) for o in cell.outputs])


def outside_code(text: str, change) -> str:
    "Apply a change to a page's prose; code stays as it is."
    pieces = re.split(r'(^```.*?^```|`[^`\n]*`)', text, flags=re.DOTALL | re.MULTILINE)
    return ''.join(piece if i % 2 else change(piece) for i, piece in enumerate(pieces))


def relinked(text: str) -> str:
    "Links as seen from the root, where the notebook's folder is nbs. Code stays as it is."
    relative = r'(\]\(|<img [^>]*?src="|<a [^>]*?href=")(?!https?:|#|mailto:)'
    return outside_code(text, lambda prose: re.sub(relative, r'\1nbs/', prose).replace(ONLINE, ''))


def readme() -> str:
    "The text of README.md."
    cells = nbformat.read(ROOT/'nbs'/'index.ipynb', as_version=4).cells
    return '\n\n'.join([NOTE, *(relinked(p.strip()) for cell in cells for p in parts(cell) if p.strip())]) + '\n'


if __name__ == '__main__':
    path = ROOT/'README.md'
    if '--check' in sys.argv:
        if path.read_text(encoding='utf-8') != readme():
            sys.exit('README.md is not in step with nbs/index.ipynb: run `make readme`.')
    else:
        path.write_text(readme(), encoding='utf-8')
