"All checks of `make test`, one after another. Closes with a line `N passed, N failed`."
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from configparser import ConfigParser
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
SCRATCH = Path(tempfile.mkdtemp(prefix='downscalexr-checks-'))
NOTEBOOKS = sorted((ROOT/'nbs').glob('*.ipynb'))
VARIANTS = ('avgpool', 'maxpool', 'strided')
CHECKS = []


def check(f):
    "Register a check; its docstring is its title."
    CHECKS.append(f)
    return f


def need(condition, message):
    "Fail the running check with a message."
    if not condition: raise AssertionError(message)


def sh(*command, cwd=ROOT, ok=True, home=None, data=False, **env) -> str:
    "Run a command with a home of its own; returns its output and fails the check on an unexpected exit code."
    full = {k: v for k, v in os.environ.items() if not k.startswith(('MLFLOW_', 'DOWNSCALEXR_')) and k != 'PYTHONPATH'}
    full |= {'PATH': f'{BIN}{os.pathsep}{full["PATH"]}', 'DOWNSCALEXR_HOME': str(home or SCRATCH/'home'), 'OMP_NUM_THREADS': '1', **env}
    if data and 'DOWNSCALEXR_DATA' in os.environ: full['DOWNSCALEXR_DATA'] = os.environ['DOWNSCALEXR_DATA']
    done = subprocess.run([str(c) for c in command], cwd=cwd, env=full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    need((done.returncode == 0) == ok, f'exit code {done.returncode} of {" ".join(map(str, command))[:200]}\n{done.stdout[-3000:]}')
    return done.stdout


def digests(*patterns) -> dict:
    "SHA-256 of the files that match, by path."
    files = [p for pattern in patterns for p in ROOT.glob(pattern) if p.is_file()]
    return {str(p.relative_to(ROOT)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def unchanged(before: dict, after: dict, remedy: str):
    "Fail with the names of files that differ."
    differing = sorted(k for k in before.keys() | after.keys() if before.get(k) != after.get(k))
    need(not differing, f'{", ".join(differing)}: run `{remedy}` and commit.')


def outputs_text(nb) -> str:
    "Everything stored as text in the outputs of a notebook."
    return json.dumps([{k: v for k, v in o.get('data', o).items() if k != 'image/png'} for c in nb.cells for o in c.get('outputs', [])])


@check
def notebooks():
    "notebooks: clean, readable, no errors, paths or progress bars stored"
    before = digests('nbs/*.ipynb')
    sh(BIN/'nbdev_clean')
    unchanged(before, digests('nbs/*.ipynb'), 'nbdev_clean')
    for path in NOTEBOOKS:
        nb = nbformat.read(path, as_version=4)
        code = [c for c in nb.cells if c.cell_type == 'code']
        stored = outputs_text(nb)
        need(nb.metadata.kernelspec.get('language') == 'python', f'{path.name}: metadata has no kernelspec.language, papermill needs it')
        need(not any(o.output_type == 'error' for c in code for o in c.outputs), f'{path.name}: an error is stored')
        need(not (found := re.search(r'/(work|root|tmp|home)/\w+', stored)), f'{path.name}: a path of this machine is stored: {found and found[0]}')
        need(not re.search(r'it/s|widget-view|[0-9]%\|', stored), f'{path.name}: a progress bar is stored')
        need('"stderr"' not in stored, f'{path.name}: a warning is stored')
        need(len(nb.cells) <= 60, f'{path.name}: {len(nb.cells)} cells, 60 at most')
        long = max([len(c.source.splitlines()) for c in code if c.source.startswith(('#| export', '#|export'))], default=0)
        need(long <= 40, f'{path.name}: an exported cell of {long} lines, 40 at most')
    tags = [c for c in nbformat.read(ROOT/'nbs'/'03_train.ipynb', as_version=4).cells if 'parameters' in c.metadata.get('tags', [])]
    need(len(tags) == 1, f'03_train.ipynb: {len(tags)} cells tagged parameters, not 1')


@check
def export():
    "export: modules in step with the notebooks, none left over"
    before = digests('downscalexr/*.py')
    sh(BIN/'nbdev_export')
    unchanged(before, digests('downscalexr/*.py'), 'nbdev_export')
    exported = {m[1] for p in NOTEBOOKS if (m := re.search(r'#\| default_exp (\w+)', p.read_text(encoding='utf-8')))}
    modules = {p.stem for p in (ROOT/'downscalexr').glob('*.py') if not p.stem.startswith('_')}
    need(modules == exported, f'modules without a notebook or the reverse: {sorted(modules ^ exported)}')


@check
def docs():
    "docs: YAML, navigation, title cells, links, README"
    for path in [ROOT/'_quarto.yml', ROOT/'nbs'/'sidebar.yml', *(ROOT/'.github'/'workflows').glob('*.yml')]: yaml.safe_load(path.read_text(encoding='utf-8'))
    need((ROOT/'nbs'/'_quarto.yml').is_symlink() and (ROOT/'nbs'/'_quarto.yml').read_text() == (ROOT/'_quarto.yml').read_text(), 'nbs/_quarto.yml must be a link to ../_quarto.yml')
    listed = set(re.findall(r'[\w/]+\.ipynb', (ROOT/'nbs'/'sidebar.yml').read_text()))
    need(listed == {p.name for p in NOTEBOOKS}, f'sidebar.yml and the notebooks differ: {sorted(listed ^ {p.name for p in NOTEBOOKS})}')
    for path in NOTEBOOKS:
        first = nbformat.read(path, as_version=4).cells[0]
        need(first.cell_type == 'markdown' and re.fullmatch(r'# .+\n\n> .+', first.source), f'{path.name}: the first cell must be a title and one line after ">"')
    for path in [*NOTEBOOKS, ROOT/'README.md', ROOT/'CONTRIBUTING.md', ROOT/'CHANGELOG.md']: broken_links(path)
    sh(sys.executable, ROOT/'.ci'/'readme.py', '--check')
    sh(BIN/'nbdev_proc_nbs')
    shutil.rmtree(ROOT/'_proc', ignore_errors=True)


def broken_links(path: Path):
    "Fail on relative links and images that lead nowhere."
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.ipynb': text = '\n'.join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == 'markdown')
    for target in re.findall(r'\]\((?!https?:|#|mailto:)([^)#\s]+)', text):
        need((path.parent/target).exists(), f'{path.name}: the link to {target} leads nowhere')


@check
def tests():
    "nbdev_test: every cell of every notebook that is not slow"
    sh(BIN/'nbdev_test', '--n_workers', os.cpu_count(), data=True)


def one_run(home: Path) -> dict:
    "The result of the only run below a home; fails unless its files are whole."
    folders = [p for p in (home/'runs').iterdir() if p.is_dir()]
    need(len(folders) == 1, f'{len(folders)} run folders in {home}, not 1')
    for name in ('config.json', 'environment.json', 'history.jsonl', 'predictions.csv', 'best.pt', 'last.pt', 'result.json'):
        need((folders[0]/name).stat().st_size > 0, f'{name} is empty')
    for name in ('best.pt', 'last.pt'):
        digest = hashlib.sha256((folders[0]/name).read_bytes()).hexdigest()
        need((folders[0]/f'{name}.sha256').read_text().split()[0] == digest, f'{name} does not match its sha256')
    result = json.loads((folders[0]/'result.json').read_text())
    need(result['status'] == 'finished' and 0 <= result['metrics']['test']['auroc'] <= 1, 'no finished result')
    return result


def papermill(*words, name: str, cwd=ROOT, ok=True, out=True, data=False) -> str:
    "Execute the training notebook; returns what papermill said."
    notebook = '03_train.ipynb' if cwd.name == 'nbs' else 'nbs/03_train.ipynb'
    target = [SCRATCH/f'{name}.ipynb'] if out else []
    return sh(BIN/'papermill', notebook, *target, *words, '--no-progress-bar', cwd=cwd, ok=ok, home=SCRATCH/name, data=data)


TINY = ('-p', 'image_size', '64', '-p', 'epochs', '2', '-p', 'source', 'phantom:120', '-p', 'num_threads', '1')


@check
def papermill_variants():
    "papermill: every variant on the phantom at 64 px"
    for variant in VARIANTS:
        papermill('-p', 'downsample', variant, *TINY, name=variant, cwd=ROOT/'nbs' if variant == 'strided' else ROOT)
        result = one_run(SCRATCH/variant)
        need(result['config']['downsample'] == variant and result['data']['kind'] == 'phantom', 'another run than was asked for')


@check
def papermill_short():
    "papermill: the short form without an output path, output captured"
    source = (ROOT/'nbs'/'03_train.ipynb').read_bytes()
    said = papermill('-p', 'downsample', 'maxpool', *TINY, name='short', out=False)
    one_run(SCRATCH/'short')
    need('"cells"' in said, 'the executed notebook was not printed')
    need((ROOT/'nbs'/'03_train.ipynb').read_bytes() == source, 'the source notebook was changed')


@check
def papermill_refuses():
    "papermill: a misspelt name, an unknown variant and a wrong type fail and say what is valid"
    for words, message in ((('-p', 'downsampel', 'maxpool'), 'Valid: downsample, arch'), (('-p', 'downsample', 'maxpol'), 'avgpool, maxpool, strided'), (('-p', 'epochs', 'many'), 'epochs must be int')):
        said = papermill(*words, *TINY[4:], name='refused', ok=False)
        need(message in said, f'{words} failed without naming what is valid:\n{said[-1500:]}')
        need(not (SCRATCH/'refused'/'runs').exists(), f'{words} left a run behind')


@check
def papermill_real():
    "papermill: one short run on the real radiographs, where they are"
    if 'DOWNSCALEXR_DATA' not in os.environ: return 'no DOWNSCALEXR_DATA here'
    papermill('-p', 'downsample', 'strided', '-p', 'image_size', '64', '-p', 'epochs', '1', name='real', data=True)
    result = one_run(SCRATCH/'real')
    need(result['data']['kind'] == 'kaggle' and sum(result['data']['counts']['test'].values()) > 0, 'these were not the real images')


@check
def study():
    "study and report: three variants, nothing twice, table and figures"
    words = ['--image-size', '64', '--epochs', '1', '--source', 'phantom:120']
    sh(BIN/'downscalexr_study', *words, home=SCRATCH/'study')
    results = lambda: {p: p.stat().st_mtime_ns for p in (SCRATCH/'study'/'runs').glob('*/result.json')}
    first = results()
    said = sh(BIN/'downscalexr_study', *words, home=SCRATCH/'study')
    need(len(first) == 3 and results() == first and '3 finished before, 0 to do' in said, 'the second study trained again')
    need('PHANTOM' in said, 'the phantom was not announced')
    said = sh(BIN/'downscalexr_report', home=SCRATCH/'study')
    need(all(v in said for v in VARIANTS), f'the table lacks a variant:\n{said[-2000:]}')
    pictures = list((SCRATCH/'study'/'runs'/'report').glob('*.png'))
    need(len(pictures) >= 10, f'{len(pictures)} figures, at least 10 expected')


@check
def wheel():
    "wheel: builds, and every module imports outside the checkout"
    copy = SCRATCH/'source'
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns('.venv', '.git', 'data', 'runs', 'mlartifacts', '*.egg-info', 'build', '_proc', '_docs'), symlinks=True)
    sh(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', SCRATCH/'dist', copy, cwd=SCRATCH)
    built = next((SCRATCH/'dist').glob('*.whl'))
    sh(sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', SCRATCH/'site', built, cwd=SCRATCH)
    ini = ConfigParser()
    ini.read(ROOT/'settings.ini')
    modules = sorted(p.stem for p in (ROOT/'downscalexr').glob('*.py') if not p.stem.startswith('_'))
    code = ('import importlib, sys, downscalexr\n'
            f'assert downscalexr.__file__.startswith({str(SCRATCH)!r}) and downscalexr.__version__ == {ini["DEFAULT"]["version"]!r}\n'
            f'for m in {modules!r}: importlib.import_module("downscalexr." + m)')
    sh(sys.executable, '-c', code, cwd=SCRATCH, PYTHONPATH=str(SCRATCH/'site'))


def main() -> int:
    "Run the checks named on the command line, or all of them."
    chosen = [f for f in CHECKS if not sys.argv[1:] or f.__name__ in sys.argv[1:]]
    failed = 0
    for f in chosen:
        start = time.monotonic()
        print(f'… {f.__doc__}', flush=True)
        try: said = f() or 'ok'
        except Exception as e: failed, said = failed + 1, f'FAILED: {e}'
        print(f'  {said} ({time.monotonic() - start:.0f} s)', flush=True)
    shutil.rmtree(SCRATCH, ignore_errors=True)
    print(f'{len(chosen) - failed} passed, {failed} failed')
    return int(failed > 0)


if __name__ == '__main__': sys.exit(main())
