"""All checks of `make test`; names on the command line choose some.

Closes with a line `N passed, N failed`.
"""
import ast
import base64
import hashlib
import importlib.metadata
import itertools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from configparser import ConfigParser
from pathlib import Path

import nbformat
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SCRATCH = Path(tempfile.mkdtemp(prefix='downscalexr-checks-'))
NOTEBOOKS = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb')
                   if not any(part.startswith(('.', '_')) for part in p.relative_to(ROOT).parts))
PAGES = [*NOTEBOOKS, *(ROOT/name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'))]
MOST_CHARACTERS = 1200  # of an exported cell
VARIANTS = ('avgpool', 'maxpool', 'strided')
LONGEST_S = 900  # a command that takes longer hangs
CHECKS = []
BESIDE = set()  # checks that need only one core and nothing another one writes: two at a time
RUNNING = set()  # processes


def page(path: Path) -> str:
    "A notebook as the sidebar names it."
    return path.relative_to(ROOT/'nbs').as_posix()


def check(f):
    "Register a check; its docstring is its title."
    CHECKS.append(f)
    return f


def beside(f):
    "Register a check that may run beside others of its kind."
    BESIDE.add(f)
    return check(f)


def need(condition, message):
    "Fail the running check with a message."
    if not condition:
        raise AssertionError(message)


def sh(*command, cwd=ROOT, ok=True, home=None, data=False, **env) -> str:
    "Run a command with a home of its own; returns its output and fails the check on an unexpected exit code."
    full = {k: v for k, v in os.environ.items() if not k.startswith(('MLFLOW_', 'DOWNSCALEXR_')) and k != 'PYTHONPATH'}
    full |= {'PATH': f'{BIN}{os.pathsep}{full["PATH"]}', 'DOWNSCALEXR_HOME': str(home or SCRATCH/'home'),
             'OMP_NUM_THREADS': '1', **env}
    if data and 'DOWNSCALEXR_DATA' in os.environ:
        full['DOWNSCALEXR_DATA'] = os.environ['DOWNSCALEXR_DATA']
    words = [str(c) for c in command]
    pipes = dict(stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    with subprocess.Popen(words, cwd=cwd, env=full, start_new_session=True, **pipes) as p:
        RUNNING.add(p)
        try:
            said = p.communicate(timeout=LONGEST_S)[0]
        except BaseException:  # too long, or Ctrl-C: leave nothing running
            os.killpg(p.pid, signal.SIGKILL)
            raise
        finally:
            RUNNING.discard(p)
    need((p.returncode == 0) == ok, f'exit code {p.returncode} of {" ".join(words)[:200]}\n{said[-3000:]}')
    return said


def digests(pattern: str) -> dict:
    "SHA-256 of the files that match, by path."
    files = [p for p in ROOT.glob(pattern) if p.is_file()]
    return {str(p.relative_to(ROOT)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def changes_nothing(command: str, pattern: str):
    "Run one of nbdev's commands and fail with the names of the matching files it changed."
    before = digests(pattern)
    sh(BIN/command)
    after = digests(pattern)
    differing = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    need(not differing, f'{", ".join(differing)}: run `{command}` and commit.')


def outputs_text(nb) -> str:
    "Everything stored as text in the outputs of a notebook."
    outputs = [o for c in nb.cells for o in c.get('outputs', [])]
    return json.dumps([{k: v for k, v in o.get('data', o).items() if k != 'image/png'} for o in outputs])


def top_of(cell) -> str:
    "The `#| ...` lines at the top of a cell."
    return re.match(r'(?:\s*#\|.*\n?)*', cell.source)[0]


def exports(cell) -> bool:
    "Whether a code cell goes into the package."
    return cell.cell_type == 'code' and re.search(r'#\|\s*exports?\b', top_of(cell)) is not None


def own_imports(nb) -> int:
    "How many cells import the notebook's own module, so test what was exported last, without a comment that says why."
    name = re.search(r'#\| default_exp ([\w.]+)', '\n'.join(c.source for c in nb.cells))
    if not name:
        return 0
    own = f'downscalexr.{name[1]}'
    found = 0
    for source in (c.source for c in nb.cells if c.cell_type == 'code' and not exports(c)):
        lines = source.splitlines()
        for node in ast.walk(ast.parse(re.sub(r'^[%!].*', 'pass', source, flags=re.MULTILINE))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [str(node.module), *(f'{node.module}.{alias.name}' for alias in node.names)]
            else:
                continue
            found += own in names and not any('#' in line for line in lines[node.lineno - 1:node.end_lineno])
    return found


def described(cell) -> bool:
    "Whether each figure that a code cell stores has an alt text and a caption; a hidden cell needs none."
    figures = sum('image/png' in o.get('data', {}) for o in cell.outputs)
    top = top_of(cell)
    if not figures or re.search(r'#\|\s*hide\s*$', top, re.MULTILINE):
        return True
    lines = '\n'.join(re.findall(r'^#\| (fig-(?:alt|cap):.*)', top, re.MULTILINE))
    try:
        said = yaml.safe_load(lines) or {}
    except yaml.YAMLError: # a colon without quotes: Quarto would stop
        return False
    texts = [said.get(key) for key in ('fig-alt', 'fig-cap')]
    texts = [t if isinstance(t, list) else [t] for t in texts] # Quarto takes a list for several figures
    return all(len(t) == figures and all(isinstance(s, str) and s.strip() for s in t) for t in texts)


def dull(cell) -> bool:
    "Whether a drawn figure is not stored at twice its width on the page; a picture shown as it is may be small."
    for o in cell.outputs:
        drawn, shown = o.get('data', {}).get('image/png'), o.get('metadata', {}).get('image/png', {}).get('width', 0)
        if drawn and 'Image(' not in cell.source:
            width = int.from_bytes(base64.b64decode(drawn[:48])[16:20], 'big')
            if not shown or width < 1.9*shown:
                return True
    return False


def notebook_faults(nb) -> list[str]:
    "What is wrong with one notebook as it is stored."
    code = [c for c in nb.cells if c.cell_type == 'code']
    stored, sources = outputs_text(nb), '\n'.join(c.source for c in nb.cells)
    longest = max([len(c.source) for c in code if exports(c) and 'def ' in c.source], default=0) # not of values
    here = re.search(r'/(work|root|tmp|home|farm)/\w+', stored) or re.search(r'/(work|root|farm)/\w+', sources)
    first, language = nb.cells[0], nb.metadata.get('kernelspec', {}).get('language')
    bare, single = sum(not described(c) for c in code), sum(map(dull, code))
    titled = first.cell_type == 'markdown' and re.fullmatch(r'# .+\n\n> .+', first.source)
    faults = {
        'metadata has no kernelspec.language, papermill needs it': language != 'python',
        'an error is stored': any(o.output_type == 'error' for c in code for o in c.outputs),
        'a warning is stored': '"stderr"' in stored,
        'a progress bar is stored': re.search(r'[\d?]\s?(it/s|s/it)\b|widget-view|\d%\|', stored),
        'the state of progress bars is stored': 'widgets' in nb.metadata,
        f'a path of this machine is stored: {here and here[0]}': here,
        f'{len(nb.cells)} cells, 60 at most': len(nb.cells) > 60,
        f'an exported cell of {longest:,} characters, {MOST_CHARACTERS:,} at most': longest > MOST_CHARACTERS,
        f'{bare} cells with figures lack `#| fig-alt: "…"` or `#| fig-cap: "…"`, one text per figure': bare,
        f'{single} cells with figures at single resolution: make outputs': single,
        'it imports its own module without a comment that says why': own_imports(nb),
        'the first cell must be a title and one line after ">"': not titled,
    }
    return [fault for fault, found in faults.items() if found]


def all_modules() -> list[str]:
    "The package's modules, e.g. 'common.files'."
    package = ROOT/'downscalexr'
    paths = (p.relative_to(package).with_suffix('') for p in package.rglob('*.py') if not p.stem.startswith('_'))
    return sorted('.'.join(p.parts) for p in paths)


@check
def notebooks():
    "notebooks: clean and readable; no errors, paths or progress bars stored"
    changes_nothing('nbdev_clean', 'nbs/**/*.ipynb')
    read = {path: nbformat.read(path, as_version=4) for path in NOTEBOOKS}
    faults = [f'{page(path)}: {fault}' for path, nb in read.items() for fault in notebook_faults(nb)]
    tagged = [c for c in read[ROOT/'nbs'/'03_train.ipynb'].cells if 'parameters' in c.metadata.get('tags', [])]
    if len(tagged) != 1:
        faults.append(f'03_train.ipynb: {len(tagged)} cells tagged parameters, not 1')
    need(not faults, '\n'.join(faults))


@check
def export():
    "export: modules in step with the notebooks, none left over"
    changes_nothing('nbdev_export', 'downscalexr/**/*.py')
    named = (re.search(r'#\| default_exp ([\w.]+)', p.read_text(encoding='utf-8')) for p in NOTEBOOKS)
    exported = {m[1] for m in named if m}
    modules = set(all_modules())
    need(modules == exported, f'modules without a notebook or the reverse: {sorted(modules ^ exported)}')


def broken_links(path: Path) -> list[str]:
    "Relative links and images of a page that lead nowhere."
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.ipynb':
        text = '\n'.join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == 'markdown')
    text = re.sub(r'```.*?```|`[^`\n]*`', '', text, flags=re.DOTALL)
    targets = re.findall(r'\]\(([^)#\s]+)|<(?:img|a)\s[^>]*?(?:src|href)="([^"#]+)', text)
    local = [t for t in map(''.join, targets) if not re.match(r'https?:|mailto:', t)]
    return [f'{path.name}: the link to {t} leads nowhere' for t in local if not (path.parent/t).exists()]


def processed():
    "Run nbdev's step before Quarto on a copy (nbdev_proc_nbs would try to install Quarto) and look at every page."
    copy = copy_source('docs')
    said = sh(sys.executable, '-c', 'from nbdev.serve import proc_nbs; proc_nbs(n_workers=0)', cwd=copy)
    need('Error' not in said and 'Warning' not in said, f'nbdev complains:\n{said[-2000:]}')
    pages = {p.relative_to(copy/'_proc').as_posix() for p in (copy/'_proc').rglob('*.ipynb')}
    wanted = {page(p) for p in NOTEBOOKS}
    need(pages == wanted, f'nbdev did not process {sorted(wanted ^ pages)}')
    look_at_pages(copy/'_proc')


# what only this machine knows: its environment, addresses of objects, home folders
STATE = re.compile(r'environ\(\{|<lambda>|<function \w+ at|\bat 0x[0-9a-f]{6,}')
PLACE = re.compile(r'/(?:root|Users|work|farm)/\w+|' + re.escape(str(Path.home())) + r'/\w+')
MATH = re.compile(r'\$\$(.+?)\$\$|(?<![\\$\w])\$(?=\S)([^$\n]+?)(?<=\S)\$(?![\d$])', re.DOTALL)


def without_code(text: str) -> str:
    "Markdown less what stands in it as code."
    return re.sub(r'^ *```.*?^ *```|(`+).+?\1', '', text, flags=re.DOTALL | re.MULTILINE)


def code_of(nb) -> list[str]:
    "What a processed page shows as code."
    fenced = [m for c in nb.cells if c.cell_type == 'markdown' for m in re.findall(r'```.*?```', c.source, re.DOTALL)]
    return [c.source for c in nb.cells if c.cell_type == 'code'] + fenced


def entries(nb) -> list[tuple[str, list[str]]]:
    "The entries of the reference on a processed page, each with the lines of its signature."
    found = [re.match(r'#### (\S+) \{#.*?\n```python\n(.*?)\n```', c.source, re.DOTALL) for c in nb.cells]
    return [(m[1], m[2].splitlines()) for m in found if m]


def entry_faults(name: str, lines: list[str]) -> list[str]:
    "Parameters without a comment, beside them or above."
    faults = [f'{name} is shown as *args, **kwargs'] if '*args' in str(lines) and '**kwargs' in str(lines) else []
    for before, line in zip(['', *lines], lines):
        parameter = line.split('  #')[0].endswith(',') or ': ' in line.lstrip()[:-1]
        inside = line.startswith('    ') and not line.lstrip().startswith(('#', 'def ', ')', 'self,', '*,', '/,'))
        if parameter and inside and '  # ' not in line and not before.lstrip().startswith('#'):
            faults.append(f'{name}: no comment on {line.strip()}')
    return faults


def slugs_of(text: str) -> set[str]:
    "The anchors that pandoc makes of headings."
    headings = re.findall(r'^#+ ([^{\n]+?)$', text, re.MULTILINE)
    return {re.sub(r'\s', '-', re.sub(r'[^\w\s.-]', '', h).strip().lower()) for h in headings}


def labels_of(text: str) -> list[str]:
    "The anchors that are written out: entries and labels of cells."
    return re.findall(r'\{#([\w.-]+)\}', text) + re.findall(r'^#\| label: (\S+)', text, re.MULTILINE)


def anchors(nb) -> set[str]:
    "What links can lead to on a processed page: entries, labels and headings."
    text = '\n'.join(c.source for c in nb.cells)
    return slugs_of(text) | set(labels_of(text))


def twice(nb) -> list[str]:
    "Anchors that stand on a page twice, of which pandoc warns."
    written = labels_of('\n'.join(c.source for c in nb.cells))
    slugs = slugs_of(without_code('\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown')))
    return sorted({a for a in written if written.count(a) > 1 or a in slugs})


def dead_links(name: str, nb, known: dict[str, set]) -> list[str]:
    "Links between processed pages that lead nowhere."
    text = without_code('\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown'))
    faults = []
    for target, anchor in re.findall(r'\]\(((?!https?:)[^)#\s]*\.html|)(#[^)\s]+)?\)', text):
        there = os.path.normpath(Path(name).parent/target) if target else name
        if there not in known or anchor and anchor[1:] not in known[there]:
            faults.append(f'the link to {target}{anchor} leads nowhere')
    return faults


def processed_faults(nb) -> list[str]:
    "What is wrong with one page as it is handed to Quarto, links left aside."
    prose = '\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown')
    code, outputs = '\n'.join(code_of(nb)), [o for c in nb.cells for o in c.get('outputs', [])]
    stored = outputs_text(nb)
    machine = STATE.search(prose + stored) or PLACE.search('\n'.join([prose, code, stored]))
    math = [a or b for a, b in MATH.findall(without_code(prose))]
    by_file = re.search(r'\[`?(\w+/)?\d\d[a-z]?_\w+`?\]\(', re.sub(r'```.*?```', '', prose, flags=re.DOTALL))
    doubled = [m for m in math if re.search(r'\\\\[a-zA-Z]', m)]
    shown, double = [bool(re.match('#### ', c.source)) for c in nb.cells], twice(nb)
    figures = [i for i, c in enumerate(nb.cells) if any('image/png' in o.get('data', {}) or 'image/svg+xml' in
                                                        o.get('data', {}) for o in c.get('outputs', []))]
    faults = {f'machine state: {machine and machine[0]}': machine,
              'a markdown link in code': '](http' in code or re.search(r'\[`[^`\n]+`\]\([^)\n]+\.html', code),
              f'anchors that stand twice: {double}': double,
              'an error in an output': any(o.output_type == 'error' or o.get('name') == 'stderr' for o in outputs),
              f'a doubled backslash in an equation: {doubled[:1]}': doubled,
              'a link is named by a file': by_file,
              'ten entries stand before the first figure': figures and sum(shown[:figures[0]]) >= 10}
    return [k for k, found in faults.items() if found] + [f for entry in entries(nb) for f in entry_faults(*entry)]


def unconvertible(texts: dict[str, str]) -> list[str]:
    "Equations that pandoc cannot convert, by page."
    math = {(name, (a or b).strip()): '$$' if a else '$'
            for name, text in texts.items() for a, b in MATH.findall(without_code(text))}
    pandoc = shutil.which('pandoc')
    if not pandoc:
        import pypandoc  # brings pandoc with it
        pandoc = pypandoc.get_pandoc_path()
    text = '\n\n'.join(f'{mark}{equation}{mark}' for (_, equation), mark in math.items())
    words = [pandoc, '--from', 'markdown', '--to', 'html', '--mathml', '--output', os.devnull]
    said = subprocess.run(words, input=text, capture_output=True, text=True, check=True).stderr
    return [f'{name}: pandoc cannot convert {equation!r}' for name, equation in math
            if ' '.join(equation.split())[:60] in ' '.join(said.split())] or said.splitlines()[:9]


# Written by nbdev from settings.ini, or read by tools that know no variables, and tested equal to it
ELSEWHERE = ('downscalexr/_modidx.py', '_quarto.yml', 'nbs/_quarto.yml', '.binder/colab.ipynb')


def addresses() -> list[str]:
    "Files that name the project's owner or site, which stand in settings.ini alone (nbdev copies them to _modidx)."
    ini = ConfigParser()
    ini.read(ROOT/'settings.ini', encoding='utf-8')
    own = ini['DEFAULT']['git_url'], ini['DEFAULT']['doc_host']
    files = subprocess.run(['git', 'ls-files', '-z'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    kinds = ('.ipynb', '.py', '.md', '.yml', '.toml', '.qmd')
    found = [f for f in files.split('\0') if f.endswith(kinds) and (ROOT/f).exists()]
    texts = {f: (ROOT/f).read_text(encoding='utf-8') for f in found}
    return [f'{f}: {a} stands in settings.ini alone; link by relative paths' for f, text in texts.items() for a in own
            if a in text and f not in ELSEWHERE]


def places() -> list[str]:
    "Committed results that name a folder of the machine that made them."
    found = {p: re.search(r'"/(?:tmp|work|root|home|Users)/\w+', p.read_text(encoding='utf-8'))
             for p in sorted((ROOT/'nbs'/'results').rglob('*.json'))}
    return [f'{p.relative_to(ROOT)}: {m[0]}' for p, m in found.items() if m]


def look_at_pages(folder: Path):
    "Look at all processed pages below a folder."
    read = {p.relative_to(folder).as_posix(): nbformat.read(p, as_version=4) for p in sorted(folder.rglob('*.ipynb'))}
    html = {name: re.search(r'^output-file: (\S+)', nb.cells[0].source, re.MULTILINE) for name, nb in read.items()}
    known = {(Path(name).parent/m[1]).as_posix(): anchors(read[name]) for name, m in html.items() if m}
    faults = [f'{name}: no title' for name, m in html.items() if not m]
    for name, nb in read.items():
        own = (Path(name).parent/html[name][1]).as_posix() if html[name] else name
        faults += [f'{name}: {f}' for f in processed_faults(nb) + dead_links(own, nb, known)]
    faults += unconvertible({name: '\n'.join(c.source for c in nb.cells if c.cell_type == 'markdown')
                             for name, nb in read.items()})
    index = (ROOT/'downscalexr'/'_modidx.py').read_text(encoding='utf-8')
    index = STATE.search(index) or PLACE.search(index)
    need(not faults and not index, '\n'.join([*faults, *([f'_modidx.py: {index[0]}'] if index else [])]))


def copy_source(name: str) -> Path:
    "The working tree as it is, less what git ignores, in a folder of its own."
    words = ['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard']
    files = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in filter(None, files.split('\0')):
        target = SCRATCH/name/file
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT/file).exists():
            shutil.copy2(ROOT/file, target, follow_symlinks=False)
    return SCRATCH/name


def tested(*more: str) -> str:
    "Run nbdev_test; returns the notebooks that took longest."
    said = sh(BIN/'nbdev_test', '--n_workers', os.cpu_count(), '--timing', *more, data=True)
    return 'ok; slowest: ' + ', '.join(re.findall(r'^\S+\.ipynb: \d+ secs', said, re.MULTILINE)[:8])


@check
def tests():
    "nbdev_test: every cell that is neither slow nor long, of every notebook but the proofs"
    return tested()


@check
def long_tests():
    "nbdev_test: notebooks with long cells, these too, and the proofs"
    marked = [p for p in NOTEBOOKS if p.parent.name == 'proofs' or re.search(r'"#\| long\\n"', p.read_text('utf-8'))]
    need(len(marked) > len(list((ROOT/'nbs'/'proofs').glob('*.ipynb'))), 'no cell is marked as long')
    names = '|'.join(re.escape(p.stem) for p in marked)
    return tested('--flags', 'long', '--ignore_fname', 'none', '--file_re', rf'^({names})\.ipynb$')


@beside
def docs():
    "docs: YAML, navigation, links, README, and the step before Quarto"
    quarto, link, sidebar = ROOT/'_quarto.yml', ROOT/'nbs'/'_quarto.yml', ROOT/'nbs'/'sidebar.yml'
    workflows = sorted((ROOT/'.github'/'workflows').glob('*.yml'))
    for path in (quarto, sidebar, *workflows):
        need(isinstance(yaml.safe_load(path.read_text(encoding='utf-8')), dict), f'{path.name} is not a YAML mapping')
    linked = link.is_symlink() and os.readlink(link) == '../_quarto.yml'
    need(linked and link.read_text() == quarto.read_text(), 'nbs/_quarto.yml must be a link to ../_quarto.yml')
    listed = re.findall(r'[\w/]+\.ipynb', sidebar.read_text())
    wanted = sorted(page(p) for p in NOTEBOOKS)
    differing = sorted(set(listed) ^ set(wanted)) or 'one is listed twice'
    need(sorted(listed) == wanted, f'sidebar.yml and the notebooks differ: {differing}')
    faults = [fault for path in PAGES for fault in broken_links(path)] + addresses() + places()
    need(not faults, '\n'.join(faults))
    sh(sys.executable, ROOT/'.ci'/'readme.py', '--check')
    processed()


@beside
def lint():
    "lint: ruff over modules, notebooks and scripts"
    sh(BIN/'ruff', 'check', '--no-cache', '--output-format', 'concise', ROOT)


@beside
def types():
    "types: mypy over the exported modules"
    said = sh(BIN/'mypy', '--config-file', ROOT/'mypy.ini', '--cache-dir', SCRATCH/'mypy')
    return said.strip().splitlines()[-1]


def one_run(home: Path) -> dict:
    "The result of the only run below a home; fails unless its files are whole."
    folders = [p for p in (home/'runs').iterdir() if p.is_dir()]
    need(len(folders) == 1, f'{len(folders)} run folders in {home}, not 1')
    for name in ('config.json', 'environment.json', 'history.jsonl', 'predictions.csv', 'best.pt', 'result.json'):
        need((folders[0]/name).stat().st_size > 0, f'{name} is empty')
    kept = sorted((folders[0]/'checkpoints').glob('*.pt'))
    epochs = len((folders[0]/'history.jsonl').read_text().splitlines())
    need(len(kept) == min(2, epochs), f'{len(kept)} checkpoints are kept')
    for path in (folders[0]/'best.pt', *kept):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        need(path.with_suffix('.pt.sha256').read_text().split()[0] == digest, f'{path.name} does not match its sha256')
    result = json.loads((folders[0]/'result.json').read_text())
    need(result['status'] == 'finished' and 0 <= result['metrics']['test']['auroc'] <= 1, 'no finished result')
    return result


def papermill(*words, name: str, cwd=ROOT, ok=True, out=True, data=False, notebook='03_train.ipynb') -> str:
    "Execute a notebook, by default the training one; returns what papermill said."
    notebook = ROOT/'nbs'/notebook
    if cwd.is_relative_to(ROOT):
        notebook = notebook.relative_to(cwd) # as people type it
    target = [SCRATCH/f'{name}.ipynb'] if out else []
    words = (notebook, *target, *words, '--no-progress-bar')
    return sh(BIN/'papermill', *words, cwd=cwd, ok=ok, home=SCRATCH/name, data=data)


TINY = ('-p', 'image_size', '64', '-p', 'epochs', '2', '-p', 'source', 'phantom:120', '-p', 'num_threads', '1')


@beside
def papermill_variants():
    "papermill: every variant on the phantom at 64 px"
    for variant in VARIANTS:
        papermill('-p', 'downsample', variant, *TINY, name=variant, cwd=ROOT/'nbs' if variant == 'strided' else ROOT)
        result = one_run(SCRATCH/variant)
        got = result['config']['downsample'], result['data']['kind']
        need(got == (variant, 'phantom'), 'another run than was asked for')


OWN = '''
import torch
from downscalexr.operators.registry import Halving, quarters, register

@register('median', 'median of four', 'my own')
class Median(Halving):
    def __init__(self, channels): super().__init__()
    def halve(self, x): return torch.stack(quarters(x)).sort(0)[0][1:3].mean(0)
'''


def downscalexr(*words, **more) -> str:
    "Run the command; returns what it said."
    return sh(BIN/'downscalexr', *words, **more)


@beside
def papermill_plugin():
    "papermill, study, report: an operator of one's own, in a module of one's own, in another network"
    folder = SCRATCH/'own'
    folder.mkdir()
    (folder/'my_ops.py').write_text(OWN)
    own = ('-p', 'downsample', 'median', '-p', 'plugins', 'my_ops', '-p', 'arch', 'compact', '-p', 'width', '0.5')
    papermill(*own, *TINY, name='own', cwd=folder)
    result = one_run(SCRATCH/'own')
    got = result['config']
    need((got['downsample'], got['arch']) == ('median', 'compact'), 'another run than was asked for')
    words = '--downsample median stochastic --plugins my_ops --control mac --image-size 64 --epochs 1'.split()
    downscalexr('study', 'run', *words, '--source', 'phantom:120', '--jobs', '1', cwd=folder, home=SCRATCH/'own-study')
    said = downscalexr('report', '--repeats', '3', cwd=folder, home=SCRATCH/'own-study')
    need('median' in said and 'stochastic' in said, f'the table lacks an operator:\n{said[-2000:]}')
    report = SCRATCH/'own-study'/'runs'/'report'
    need(list(report.glob('median*.png')), 'no figure of the operator')
    papermill('-p', 'results', report, name='own-analysis', notebook='05_analysis.ipynb')
    need('median' in (SCRATCH/'own-analysis.ipynb').read_text(), 'the analysis lacks the operator')


@beside
def evidence():
    "evidence: the tables and verdicts come out again from the committed runs, without images"
    said = downscalexr('evidence', 'recompute')
    need(said.count(': the same') >= 12, f'a table is missing:\n{said[-2000:]}')


@beside
def lab():
    "lab: kernels of `make lab` skip cells that are marked slow, unless told otherwise"
    startup = SCRATCH/'ipython'/'profile_default'/'startup'
    startup.mkdir(parents=True)
    shutil.copy2(ROOT/'.ci'/'skip_slow.py', startup)
    cells = ['#| slow\nprint("ran")', '#| hide\n#| gpu\nprint("ran")', 'x = "#| slow"\nprint("ran", x)']
    nb = nbformat.v4.new_notebook(cells=list(map(nbformat.v4.new_code_cell, cells)))
    nbformat.write(nb, SCRATCH/'marked.ipynb')
    words = (BIN/'papermill', SCRATCH/'marked.ipynb', '-', '-k', 'python3', '--no-progress-bar')
    for slow, wanted in ((0, ['Skipped', 'Skipped', 'ran']), (1, ['ran', 'ran', 'ran'])):
        said = sh(*words, IPYTHONDIR=str(SCRATCH/'ipython'), DOWNSCALEXR_SLOW=str(slow))
        read = json.loads(said[said.index('{\n'):said.rindex('}') + 1])
        texts = [''.join(c['outputs'][0]['text']) for c in read['cells'] if c['cell_type'] == 'code']
        got = [text.split()[0].strip(',') for text in texts]
        need(got == wanted, f'with DOWNSCALEXR_SLOW={slow}: {got}')


@beside
def papermill_short():
    "papermill: the short form without an output path, output captured"
    source = (ROOT/'nbs'/'03_train.ipynb').read_bytes()
    said = papermill('-p', 'downsample', 'maxpool', *TINY, name='short', out=False)
    one_run(SCRATCH/'short')
    need('"cells"' in said, 'the executed notebook was not printed')
    need((ROOT/'nbs'/'03_train.ipynb').read_bytes() == source, 'the source notebook was changed')


def history(name: str) -> list[str]:
    "The epochs that the runs below a home have finished."
    return [line for f in (SCRATCH/name/'runs').glob('*/history.jsonl') for line in f.read_text().splitlines()]


def predictions(name: str) -> bytes:
    "What the only run below a home predicts."
    return next((SCRATCH/name/'runs').glob('*/predictions.csv')).read_bytes()


def signalled(words: list, name: str, number: signal.Signals) -> tuple[int, str]:
    "Start a command, send it a signal after two epochs; returns its exit code and what it said."
    env = {k: v for k, v in os.environ.items() if not k.startswith(('MLFLOW_', 'DOWNSCALEXR_'))}
    env |= {'DOWNSCALEXR_HOME': str(SCRATCH/name), 'OMP_NUM_THREADS': '1'}
    log = SCRATCH/f'{name}.log'
    with open(log, 'w') as out:
        p = subprocess.Popen(words, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=out,
                             start_new_session=True)
    end = time.monotonic() + 120
    while p.poll() is None and len(history(name)) < 2 and time.monotonic() < end:
        time.sleep(.02)
    p.send_signal(number)
    return p.wait(60), log.read_text()


def stopped_state(name: str) -> dict:
    "What a run that was stopped says of itself, once its process is gone."
    end, path = time.monotonic() + 120, next((SCRATCH/name/'runs').glob('*/status.json'))
    while (state := json.loads(path.read_text()))['status'] == 'running' and time.monotonic() < end:
        time.sleep(.1)
    while Path(f'/proc/{state["pid"]}').exists() and time.monotonic() < end: # it lets go of the run within seconds
        time.sleep(.1)
    return state


@beside
def papermill_stopped():
    "papermill and train: SIGTERM and Ctrl-C leave a checkpoint; the same command ends with the bits of a whole run"
    options = dict(image_size=32, epochs=40, patience=40, source='phantom:120', num_threads=1)
    given = [word for k, v in options.items() for word in ('-p', k, str(v))]
    typed = [word for k, v in options.items() for word in (f'--{k.replace("_", "-")}', str(v))]
    papermill(*given, name='alone')
    want = predictions('alone')
    for number, code in ((signal.SIGTERM, -signal.SIGTERM), (signal.SIGINT, 1)): # papermill's own exit codes
        name = f'stopped-{number.name}'
        words = [BIN/'papermill', 'nbs/03_train.ipynb', SCRATCH/f'{name}.ipynb', *given, '--no-progress-bar']
        got, said = signalled(words, name, number)
        need(got == code, f'exit code {got} after {number.name}, {len(history(name))} epochs:\n{said[-1500:]}')
        need(stopped_state(name)['status'] == 'stopped', f'{number.name}: not stopped')
        need(2 <= len(history(name)) < 40, f'{number.name}: {len(history(name))} epochs')
        said = (SCRATCH/f'{name}.log').read_text() # the Jupyter kernel may write it after papermill has ended
        need('papermill nbs/03_train.ipynb' in said or number == signal.SIGINT, 'the command that resumes was not said')
        papermill(*given, name=name)
        need(predictions(name) == want, f'{number.name}: other predictions')
    for number, code in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        name = f'train-{number.name}'
        got, said = signalled([BIN/'downscalexr', 'train', *typed], name, number)
        need(got == code and 'Traceback' not in said, f'exit code {got} after {number.name}:\n{said[-1500:]}')
        need('\ndownscalexr train maxpool --image-size 32 ' in said, f'how to resume was not said:\n{said[-1500:]}')
        downscalexr('train', *typed, home=SCRATCH/name)
        need(predictions(name) == want, f'{number.name}: other predictions')


@beside
def papermill_refuses():
    "papermill: a misspelt name, an unknown variant and a wrong type fail and say what is valid"
    wrong = {('-p', 'downsampel', 'maxpool'): 'Valid: downsample, arch', ('-p', 'epochs', 'many'): 'epochs must be int',
             ('-p', 'downsample', 'maxpol'): 'avgpool, maxpool, strided'}
    for words, message in wrong.items():
        said = papermill(*TINY[6:], *words, name='refused', ok=False)
        need(message in said, f'{words} failed without naming what is valid:\n{said[-1500:]}')
        need(not (SCRATCH/'refused'/'runs').exists(), f'{words} left a run behind')


@beside
def papermill_real():
    "papermill: one short run on the real radiographs, where they are"
    if 'DOWNSCALEXR_DATA' not in os.environ:
        return 'no DOWNSCALEXR_DATA here'
    papermill('-p', 'downsample', 'strided', '-p', 'image_size', '64', '-p', 'epochs', '1', name='real', data=True)
    result = one_run(SCRATCH/'real')
    data = result['data']
    need(data['kind'] == 'kaggle' and sum(data['counts']['test'].values()) > 0, 'these were not the real images')


@beside
def study():
    "study and report: three variants, nothing twice, status, dry run, table and figures"
    home = SCRATCH/'study'
    words = ['study', 'run', '--image-size', '64', '--epochs', '1', '--source', 'phantom:120']
    downscalexr(*words, home=home)
    first = {p: p.stat().st_mtime_ns for p in (home/'runs').glob('*/result.json')}
    said = downscalexr(*words, home=home)
    again = {p: p.stat().st_mtime_ns for p in (home/'runs').glob('*/result.json')}
    need(len(first) == 3 and again == first, 'the second study trained again')
    said_so = '3 finished before, 0 to do' in said and 'PHANTOM' in said
    need(said_so, f'the second study said something else:\n{said[-2000:]}')
    said = downscalexr('study', 'status', home=home)
    need('3 done' in said and '0 failed' in said, f'status does not show three runs done:\n{said}')
    said = downscalexr('study', 'quick', '--dry-run', '--source', 'phantom:120', home=SCRATCH/'dry')
    dry = '6 runs: 0 done, 0 failed, 6 to do' in said and not (SCRATCH/'dry'/'runs').exists()
    need(dry, f'the dry run did something else:\n{said[-2000:]}')
    said = downscalexr('report', home=home)
    need(all(v in said for v in VARIANTS), f'the table lacks a variant:\n{said[-2000:]}')
    pictures = list((home/'runs'/'report').glob('*.png'))
    need(len(pictures) >= 10, f'{len(pictures)} figures, at least 10 expected')


def requirements(name: str, extras: set[str]) -> list[Requirement]:
    "What an installed distribution asks for on this Python, with these extras."
    wanted = [Requirement(r) for r in importlib.metadata.requires(name) or []]
    return [r for r in wanted if not r.marker or any(r.marker.evaluate({'extra': e}) for e in {'', *extras})]


@beside
def pins():
    "pins: every direct and indirect package stands in constraints.txt with the version that is installed"
    lines = (line.split('#')[0].strip() for line in (ROOT/'constraints.txt').read_text().splitlines())
    pinned = {canonicalize_name(name): version for name, version in (line.split('==') for line in lines if line)}
    todo, seen = [Requirement('downscalexr[study,dev]'), Requirement('pip')], set()
    while todo:
        r = todo.pop()
        new = {(canonicalize_name(r.name), e) for e in {'', *r.extras}} - seen
        seen |= new
        if new:
            todo += requirements(r.name, r.extras)
    found = {name: importlib.metadata.version(name).split('+')[0] for name, _ in seen if name != 'downscalexr'}
    faults = [f'{name}: {version} installed, {pinned.get(name, "nothing")} pinned'
              for name, version in sorted(found.items()) if pinned.get(name) != version]
    need(not faults, '\n'.join(faults))
    return f'ok, {len(found)} packages'


def built_wheel() -> Path:
    "The package as people get it."
    copy = copy_source('wheel')
    sh(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', SCRATCH/'dist', copy, cwd=SCRATCH)
    return next((SCRATCH/'dist').glob('*.whl'))


def closure(names: list[str]) -> set[str]:
    "Distributions with all that they need, by the names they are installed under."
    todo, seen = list(names), set()
    while todo:
        name = canonicalize_name(todo.pop())
        if name not in seen:
            seen.add(name)
            todo += [r.name for r in requirements(name, set())]
    return seen


def light_site(names: list[str]) -> Path:
    "A folder with links to these distributions and to what they need, and to nothing else."
    folder = SCRATCH/f'light-{"-".join(names)}'
    folder.mkdir()
    for name in closure(names):
        for file in importlib.metadata.files(name) or []:
            top = Path(file.parts[0])
            place = Path(importlib.metadata.distribution(name).locate_file(top))
            if file.parts[0] not in ('..', '__pycache__') and not (folder/top).exists():
                (folder/top).symlink_to(place)
    return folder


LIGHT = """
import importlib, sys, torch
for name in {names}:
    importlib.import_module('downscalexr.' + name)
from downscalexr.models import build_model
from downscalexr.operators.registry import operators
for name in operators():
    y = build_model(name, 'lenet', 64)(torch.rand(2, 1, 64, 64))
    assert y.numel() == 2 and torch.isfinite(y).all(), name
for name in {heavy}:
    try:
        importlib.import_module('downscalexr.' + name)
        sys.exit(f'{{name}} can be imported without its packages')
    except ModuleNotFoundError as e:
        assert "pip install 'downscalexr[study]'" in str(e), (name, str(e))
"""


HEAVY = ('train', 'data', 'study', 'analysis', 'benchmark', 'runs.mirror', 'sweeps.grid', 'reports.figures')


@beside
def wheel():
    "wheel: builds; outside the checkout light installs have operators or predict, the full one has every module"
    into = ('--quiet', '--no-deps', '--target', SCRATCH/'site')
    sh(sys.executable, '-m', 'pip', 'install', *into, built_wheel(), cwd=SCRATCH)
    ini = ConfigParser()
    ini.read(ROOT/'settings.ini')
    code = ('import importlib, sys, downscalexr\n'
            f'assert downscalexr.__file__.startswith({str(SCRATCH)!r})\n'
            f'assert downscalexr.__version__ == {ini["DEFAULT"]["version"]!r}\n'
            f'for m in {all_modules()!r}: importlib.import_module("downscalexr." + m)')
    sh(sys.executable, '-c', code, cwd=SCRATCH, PYTHONPATH=str(SCRATCH/'site'))
    need((SCRATCH/'site'/'downscalexr'/'py.typed').is_file(), 'the wheel lacks py.typed: its types would not be used')
    described = next((SCRATCH/'site').glob('downscalexr-*.dist-info'))/'METADATA'
    relative = re.findall(r'\]\((?!https?:|#|mailto:)[^)\s]+', described.read_text(encoding='utf-8'))
    need(not relative, f'links of README that lead nowhere on the page of the package: {relative[:5]}')
    base = sorted(Requirement(r).name for r in ini['DEFAULT']['requirements'].split())
    need(base == ['fastcore', 'numpy', 'typer'], f'the base install asks for {", ".join(base)}')
    extra = {name: [Requirement(r).name for r in ini['DEFAULT'][f'{name}_requirements'].split()]
             for name in ('torch', 'predict')}
    light = ('core', 'downsample', 'models')
    names = [m for m in all_modules() if m.startswith(('operators.', 'networks.')) or m in light]
    light = f'{SCRATCH/"site"}{os.pathsep}{light_site(base + extra["torch"])}'
    sh(sys.executable, '-S', '-c', LIGHT.format(names=names, heavy=HEAVY), cwd=SCRATCH, PYTHONPATH=light)
    light = f'{SCRATCH/"site"}{os.pathsep}{light_site(base)}'
    command = [sys.executable, '-S', '-c', 'import sys; from downscalexr.cli import main; sys.exit(main())']
    sh(*command, 'doctor', cwd=SCRATCH, PYTHONPATH=light)
    said = sh(*command, 'train', cwd=SCRATCH, PYTHONPATH=light, ok=False)
    named = "pip install 'downscalexr[study]'" in said and 'Traceback' not in said
    need(named, f'the extra is not named:\n{said[-1500:]}')
    predicts_lightly(f'{SCRATCH/"site"}{os.pathsep}{light_site(base + extra["predict"])}')


EXPORTED = """
import sys
from pathlib import Path
from PIL import Image
from downscalexr.deploy.export import export_run
from downscalexr.images.phantom import make_phantom
from downscalexr.train import TrainConfig, train_run
place = Path(sys.argv[1])
run = train_run(TrainConfig(arch='compact', image_size=32, source='phantom:60', epochs=1, run_dir=str(place/'run')))
export_run(run, out=str(place))
(place/'images').mkdir()
for i, image in enumerate(make_phantom(4, 48, seed=1).images):
    Image.fromarray(image[0]).save(place/'images'/f'{i}.png')
"""


def predicts_lightly(light: str):
    "What was exported here is scored by an install that has no PyTorch."
    place = SCRATCH/'predict'
    place.mkdir()
    sh(sys.executable, '-c', EXPORTED, place, cwd=SCRATCH, PYTHONPATH=str(SCRATCH/'site'),
       DOWNSCALEXR_HOME=str(place/'home'))
    (model,) = place.glob('*.onnx')
    code = ('import sys; from downscalexr.cli import main; code = main(sys.argv[1:]); '
            'sys.exit(code or "torch" in sys.modules)')
    said = sh(sys.executable, '-S', '-c', code, 'predict', model, place/'images', cwd=SCRATCH, PYTHONPATH=light)
    need(said.count('.png,') == 8, f'not all images were scored:\n{said[-1500:]}')


def pythons() -> list[str]:
    "Other Pythons of this machine that the package supports, one of each minor version."
    places = [shutil.which(f'python3.{n}') for n in range(11, 20)]
    places += map(str, Path.home().glob('.pyenv/versions/3.*/bin/python3'))
    found = {}
    for place in filter(None, places):
        words = [place, '-c', 'import sys; print(*sys.version_info[:2])']
        asked = subprocess.run(words, capture_output=True, text=True, stdin=subprocess.DEVNULL)
        version = tuple(map(int, asked.stdout.split())) if asked.returncode == 0 and asked.stdout else ()
        if version >= (3, 11) and version != sys.version_info[:2]:
            found.setdefault(version, place)
    return list(found.values())


@beside
def identity():
    "identity: the same code has the same version under every Python of this machine"
    code = ('import importlib.util, pathlib, platform, sys\n'
            f'folder = pathlib.Path({str(ROOT/"downscalexr")!r})\n'
            'spec = importlib.util.spec_from_file_location("machine", folder/"common"/"machine.py")\n'
            'machine = sys.modules["machine"] = importlib.util.module_from_spec(spec)\n'
            'spec.loader.exec_module(machine)\n'
            'digest = machine.syntax_digest((folder/"core.py").read_text()).hex()\n'
            'print(platform.python_version(), machine.code_version(folder), digest)')
    said = [sh(place, '-I', '-B', '-c', code, cwd=SCRATCH).split() for place in (sys.executable, *pythons())]
    need(len({tuple(versions) for _, *versions in said}) == 1, f'the versions differ: {said}')
    return f'ok, Python {", ".join(v for v, *_ in said)}'


def written() -> set:
    "Every file of the checkout that a check could leave behind."
    skip = {'.git', '.venv', '__pycache__', '.ipynb_checkpoints'}
    return {p for p in ROOT.rglob('*') if not skip & set(p.relative_to(ROOT).parts)}


FILES = written()


@beside
def sanitizers():
    "sanitizers: the C kernels touch only their own memory and do nothing undefined"
    return sh(sys.executable, ROOT/'.ci'/'sanitize.py').strip().splitlines()[-1]


@check
def tree():
    "tree: the checks left no file in the checkout"
    left = sorted(str(p.relative_to(ROOT)) for p in written() - FILES)
    need(not left, 'new: ' + ', '.join(left[:20]))


@beside
def references():
    "references: one bibliography, each entry whole and cited, each operator's source on its page"
    sh(sys.executable, ROOT/'.ci'/'project.py', 'references')


@beside
def project():
    "project: workflows, issue forms, citation, changelog, pages about the project, llms.txt, Binder and Colab"
    sh(sys.executable, ROOT/'.ci'/'project.py', 'workflows', 'forms', 'citation', 'about', 'online')


def outcome(f) -> tuple[bool, str]:
    "Whether a check passed, and what to print of it."
    start, passed = time.monotonic(), True
    try:
        said = f() or 'ok'
    except Exception as e:
        passed, said = False, f'FAILED ({f.__name__}): {e if isinstance(e, AssertionError) else repr(e)}'
    return passed, f'{f.__doc__}\n  {said} ({time.monotonic() - start:.0f} s)'


def outcomes(chosen: list):
    "The outcomes of checks, in order."
    with ThreadPoolExecutor(2) as pool:
        while chosen:
            together = [*itertools.takewhile(BESIDE.__contains__, chosen)] or chosen[:1]
            yield from pool.map(outcome, together)
            chosen = chosen[len(together):]


def main() -> int:
    "Run the checks named on the command line, or all of them."
    names = [f.__name__ for f in CHECKS]
    if unknown := sorted(set(sys.argv[1:]) - set(names)):
        sys.exit(f'no check is called {", ".join(unknown)}; there are {", ".join(names)}')
    chosen = [f for f in CHECKS if not sys.argv[1:] or f.__name__ in sys.argv[1:]]
    failed = 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `command &` hands on an ignored Ctrl-C
    try:
        for passed, said in outcomes(chosen):
            print(said, flush=True)
            failed += not passed
    finally:
        for p in list(RUNNING):
            os.killpg(p.pid, signal.SIGKILL)  # after Ctrl-C
        shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f'{len(chosen) - failed} passed, {failed} failed')
    return int(failed > 0)


if __name__ == '__main__':
    sys.exit(main())
