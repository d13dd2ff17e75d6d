"All checks of `make test`, one after another; names on the command line choose some. Closes with a line `N passed, N failed`."
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
NOTEBOOKS = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if not any(part.startswith(('.', '_')) for part in p.relative_to(ROOT).parts))
PAGES = [*NOTEBOOKS, *(ROOT/name for name in ('README.md', 'CONTRIBUTING.md', 'CHANGELOG.md'))]
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
    full |= {'PATH': f'{BIN}{os.pathsep}{full["PATH"]}', 'DOWNSCALEXR_HOME': str(home or SCRATCH/'home'), 'OMP_NUM_THREADS': '1', **env}
    if data and 'DOWNSCALEXR_DATA' in os.environ:
        full['DOWNSCALEXR_DATA'] = os.environ['DOWNSCALEXR_DATA']
    words = [str(c) for c in command]
    with subprocess.Popen(words, cwd=cwd, env=full, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True) as p:
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
    return json.dumps([{k: v for k, v in o.get('data', o).items() if k != 'image/png'} for c in nb.cells for o in c.get('outputs', [])])


def exports(cell) -> bool:
    "Whether a code cell goes into the package; directives stand at its top."
    top = re.match(r'(?:\s*#\|.*\n?)*', cell.source)[0]
    return cell.cell_type == 'code' and re.search(r'#\|\s*exports?\b', top) is not None


def notebook_faults(nb) -> list[str]:
    "What is wrong with one notebook as it is stored."
    code = [c for c in nb.cells if c.cell_type == 'code']
    stored = outputs_text(nb)
    longest = max([len(c.source.splitlines()) for c in code if exports(c)], default=0)
    here = re.search(r'/(work|root|tmp|home|farm)/\w+', stored) or re.search(r'/(work|root|farm)/\w+', '\n'.join(c.source for c in nb.cells))
    first = nb.cells[0]
    faults = {
        'metadata has no kernelspec.language, papermill needs it': nb.metadata.get('kernelspec', {}).get('language') != 'python',
        'an error is stored': any(o.output_type == 'error' for c in code for o in c.outputs),
        'a warning is stored': '"stderr"' in stored,
        'a progress bar is stored': re.search(r'[\d?]\s?(it/s|s/it)\b|widget-view|\d%\|', stored),
        'the state of progress bars is stored': 'widgets' in nb.metadata,
        f'a path of this machine is stored: {here and here[0]}': here,
        f'{len(nb.cells)} cells, 60 at most': len(nb.cells) > 60,
        f'an exported cell of {longest} lines, 40 at most': longest > 40,
        'the first cell must be a title and one line after ">"': first.cell_type != 'markdown' or not re.fullmatch(r'# .+\n\n> .+', first.source),
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
    faults = [f'{page(path)}: {fault}' for path in NOTEBOOKS for fault in notebook_faults(nbformat.read(path, as_version=4))]
    tagged = [c for c in nbformat.read(ROOT/'nbs'/'03_train.ipynb', as_version=4).cells if 'parameters' in c.metadata.get('tags', [])]
    if len(tagged) != 1:
        faults.append(f'03_train.ipynb: {len(tagged)} cells tagged parameters, not 1')
    need(not faults, '\n'.join(faults))


@check
def export():
    "export: modules in step with the notebooks, none left over"
    changes_nothing('nbdev_export', 'downscalexr/**/*.py')
    exported = {m[1] for p in NOTEBOOKS if (m := re.search(r'#\| default_exp ([\w.]+)', p.read_text(encoding='utf-8')))}
    modules = set(all_modules())
    need(modules == exported, f'modules without a notebook or the reverse: {sorted(modules ^ exported)}')


def broken_links(path: Path) -> list[str]:
    "Relative links and images of a page that lead nowhere."
    text = path.read_text(encoding='utf-8')
    if path.suffix == '.ipynb':
        text = '\n'.join(c.source for c in nbformat.reads(text, as_version=4).cells if c.cell_type == 'markdown')
    text = re.sub(r'```.*?```|`[^`\n]*`', '', text, flags=re.DOTALL)
    targets = re.findall(r'\]\(([^)#\s]+)|<(?:img|a)\s[^>]*?(?:src|href)="([^"#]+)', text)
    return [f'{path.name}: the link to {t} leads nowhere' for t in map(''.join, targets) if not re.match(r'https?:|mailto:', t) and not (path.parent/t).exists()]


def processed():
    "Run nbdev's own step before Quarto (nbdev_proc_nbs would try to install Quarto) on a copy, and see every page come out."
    copy = copy_source('docs')
    sh(sys.executable, '-c', 'from nbdev.serve import proc_nbs; proc_nbs()', cwd=copy)
    pages = {p.relative_to(copy/'_proc').as_posix() for p in (copy/'_proc').rglob('*.ipynb')}
    wanted = {page(p) for p in NOTEBOOKS}
    need(pages == wanted, f'nbdev did not process {sorted(wanted ^ pages)}')


def copy_source(name: str) -> Path:
    "The working tree as it is, less what git ignores, in a folder of its own."
    files = subprocess.run(['git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard'], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in filter(None, files.split('\0')):
        target = SCRATCH/name/file
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT/file).exists():
            shutil.copy2(ROOT/file, target, follow_symlinks=False)
    return SCRATCH/name


@check
def tests():
    "nbdev_test: every cell of every notebook that is not slow"
    said = sh(BIN/'nbdev_test', '--n_workers', os.cpu_count(), '--timing', data=True)
    return 'ok; slowest: ' + ', '.join(re.findall(r'^\S+\.ipynb: \d+ secs', said, re.MULTILINE)[:8])


@beside
def docs():
    "docs: YAML, navigation, links, README, and the step before Quarto"
    quarto, link, sidebar = ROOT/'_quarto.yml', ROOT/'nbs'/'_quarto.yml', ROOT/'nbs'/'sidebar.yml'
    workflows = sorted((ROOT/'.github'/'workflows').glob('*.yml'))
    need([p.name for p in workflows] == ['docs.yml', 'test.yml'], '.github/workflows must hold docs.yml and test.yml')
    for path in (quarto, sidebar, *workflows):
        need(isinstance(yaml.safe_load(path.read_text(encoding='utf-8')), dict), f'{path.name} is not a YAML mapping')
    need(link.is_symlink() and os.readlink(link) == '../_quarto.yml' and link.read_text() == quarto.read_text(), 'nbs/_quarto.yml must be a link to ../_quarto.yml')
    listed = re.findall(r'[\w/]+\.ipynb', sidebar.read_text())
    wanted = sorted(page(p) for p in NOTEBOOKS)
    need(sorted(listed) == wanted, f'sidebar.yml and the notebooks differ: {sorted(set(listed) ^ set(wanted)) or "one is listed twice"}')
    faults = [fault for path in PAGES for fault in broken_links(path)]
    need(not faults, '\n'.join(faults))
    sh(sys.executable, ROOT/'.ci'/'readme.py', '--check')
    processed()


def one_run(home: Path) -> dict:
    "The result of the only run below a home; fails unless its files are whole."
    folders = [p for p in (home/'runs').iterdir() if p.is_dir()]
    need(len(folders) == 1, f'{len(folders)} run folders in {home}, not 1')
    for name in ('config.json', 'environment.json', 'history.jsonl', 'predictions.csv', 'best.pt', 'result.json'):
        need((folders[0]/name).stat().st_size > 0, f'{name} is empty')
    kept = sorted((folders[0]/'checkpoints').glob('*.pt'))
    need(len(kept) == min(2, len((folders[0]/'history.jsonl').read_text().splitlines())), f'{len(kept)} checkpoints are kept')
    for path in (folders[0]/'best.pt', *kept):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        need(path.with_suffix('.pt.sha256').read_text().split()[0] == digest, f'{path.name} does not match its sha256')
    result = json.loads((folders[0]/'result.json').read_text())
    need(result['status'] == 'finished' and 0 <= result['metrics']['test']['auroc'] <= 1, 'no finished result')
    return result


def papermill(*words, name: str, cwd=ROOT, ok=True, out=True, data=False) -> str:
    "Execute the training notebook; returns what papermill said."
    notebook = '03_train.ipynb' if cwd.name == 'nbs' else 'nbs/03_train.ipynb' if cwd == ROOT else ROOT/'nbs'/'03_train.ipynb'
    target = [SCRATCH/f'{name}.ipynb'] if out else []
    return sh(BIN/'papermill', notebook, *target, *words, '--no-progress-bar', cwd=cwd, ok=ok, home=SCRATCH/name, data=data)


TINY = ('-p', 'image_size', '64', '-p', 'epochs', '2', '-p', 'source', 'phantom:120', '-p', 'num_threads', '1')


@beside
def papermill_variants():
    "papermill: every variant on the phantom at 64 px"
    for variant in VARIANTS:
        papermill('-p', 'downsample', variant, *TINY, name=variant, cwd=ROOT/'nbs' if variant == 'strided' else ROOT)
        result = one_run(SCRATCH/variant)
        need(result['config']['downsample'] == variant and result['data']['kind'] == 'phantom', 'another run than was asked for')


OWN = '''
import torch
from downscalexr.operators.registry import Halving, quarters, register

@register('median', 'median of four', 'my own')
class Median(Halving):
    def __init__(self, channels): super().__init__()
    def halve(self, x): return torch.stack(quarters(x)).sort(0)[0][1:3].mean(0)
'''


@beside
def papermill_plugin():
    "papermill, study, report: an operator of one's own, in a module of one's own, in another network"
    folder = SCRATCH/'own'
    folder.mkdir()
    (folder/'my_ops.py').write_text(OWN)
    papermill('-p', 'downsample', 'median', '-p', 'plugins', 'my_ops', '-p', 'arch', 'compact', '-p', 'width', '0.5', *TINY, name='own', cwd=folder)
    result = one_run(SCRATCH/'own')
    need(result['config']['downsample'] == 'median' and result['config']['arch'] == 'compact', 'another run than was asked for')
    words = ['--downsample', 'median', 'stochastic', '--plugins', 'my_ops', '--control', 'mac', '--image-size', '64', '--epochs', '1', '--source', 'phantom:120', '--jobs', '1']
    sh(BIN/'downscalexr_study', *words, cwd=folder, home=SCRATCH/'own-study')
    said = sh(BIN/'downscalexr_report', '--repeats', '3', cwd=folder, home=SCRATCH/'own-study')
    need('median' in said and 'stochastic' in said, f'the table lacks an operator:\n{said[-2000:]}')
    need(list((SCRATCH/'own-study'/'runs'/'report').glob('median*.png')), 'no figure of the operator')


@beside
def papermill_short():
    "papermill: the short form without an output path, output captured"
    source = (ROOT/'nbs'/'03_train.ipynb').read_bytes()
    said = papermill('-p', 'downsample', 'maxpool', *TINY, name='short', out=False)
    one_run(SCRATCH/'short')
    need('"cells"' in said, 'the executed notebook was not printed')
    need((ROOT/'nbs'/'03_train.ipynb').read_bytes() == source, 'the source notebook was changed')


@beside
def papermill_stopped():
    "papermill: SIGTERM and Ctrl-C leave a checkpoint, and the same command ends with the bits of a run left alone"
    words = ['-p', 'image_size', '32', '-p', 'epochs', '40', '-p', 'patience', '40', '-p', 'source', 'phantom:120', '-p', 'num_threads', '1']
    papermill(*words, name='alone')
    for number, codes in ((signal.SIGTERM, (-signal.SIGTERM,)), (signal.SIGINT, (1,))): # papermill's own exit codes
        name = f'stopped-{number.name}'
        history = lambda: [line for f in (SCRATCH/name/'runs').glob('*/history.jsonl') for line in f.read_text().splitlines()]
        env = {k: v for k, v in os.environ.items() if not k.startswith(('MLFLOW_', 'DOWNSCALEXR_'))} | {'DOWNSCALEXR_HOME': str(SCRATCH/name), 'OMP_NUM_THREADS': '1'}
        with open(SCRATCH/f'{name}.log', 'w') as log:
            p = subprocess.Popen([BIN/'papermill', 'nbs/03_train.ipynb', SCRATCH/f'{name}.ipynb', *words, '--no-progress-bar'], cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + 120
        while p.poll() is None and len(history()) < 2 and time.monotonic() < end:
            time.sleep(.02)
        p.send_signal(number)
        need(p.wait(60) in codes, f'exit code {p.returncode} after {number.name}')
        status = next((SCRATCH/name/'runs').glob('*/status.json'))
        while (state := json.loads(status.read_text()))['status'] == 'running' and time.monotonic() < end:
            time.sleep(.1)
        need(state['status'] == 'stopped' and 2 <= len(history()) < 40, f'{number.name}: {state}, {len(history())} epochs')
        need('papermill nbs/03_train.ipynb' in (SCRATCH/f'{name}.log').read_text() or number == signal.SIGINT, 'the command that goes on was not said')
        for _ in range(50): # the kernel lets go of the run within seconds
            if not Path(f'/proc/{state["pid"]}').exists():
                break
            time.sleep(.1)
        papermill(*words, name=name)
        same = [next((SCRATCH/n/'runs').glob('*/predictions.csv')).read_bytes() for n in ('alone', name)]
        need(same[0] == same[1], f'{number.name}: other predictions than a run left alone')


@beside
def papermill_refuses():
    "papermill: a misspelt name, an unknown variant and a wrong type fail and say what is valid"
    for words, message in ((('-p', 'downsampel', 'maxpool'), 'Valid: downsample, arch'), (('-p', 'downsample', 'maxpol'), 'avgpool, maxpool, strided'), (('-p', 'epochs', 'many'), 'epochs must be int')):
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
    need(result['data']['kind'] == 'kaggle' and sum(result['data']['counts']['test'].values()) > 0, 'these were not the real images')


@beside
def study():
    "study and report: three variants, nothing twice, status, dry run, table and figures"
    words = ['--image-size', '64', '--epochs', '1', '--source', 'phantom:120']
    sh(BIN/'downscalexr_study', *words, home=SCRATCH/'study')
    results = lambda: {p: p.stat().st_mtime_ns for p in (SCRATCH/'study'/'runs').glob('*/result.json')}
    first = results()
    said = sh(BIN/'downscalexr_study', *words, home=SCRATCH/'study')
    need(len(first) == 3 and results() == first and '3 finished before, 0 to do' in said, 'the second study trained again')
    need('PHANTOM' in said, 'the phantom was not announced')
    said = sh(BIN/'downscalexr_study', 'status', home=SCRATCH/'study')
    need('3 done' in said and '0 failed' in said, f'status does not show three runs done:\n{said}')
    said = sh(BIN/'downscalexr_study', 'quick', '--dry-run', '--source', 'phantom:120', home=SCRATCH/'dry')
    need('6 runs: 0 done, 0 failed, 6 to do' in said and not (SCRATCH/'dry'/'runs').exists(), f'the dry run did something else:\n{said[-2000:]}')
    said = sh(BIN/'downscalexr_report', home=SCRATCH/'study')
    need(all(v in said for v in VARIANTS), f'the table lacks a variant:\n{said[-2000:]}')
    pictures = list((SCRATCH/'study'/'runs'/'report').glob('*.png'))
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
    todo, seen = [Requirement('downscalexr[dev]'), Requirement('pip')], set()
    while todo:
        r = todo.pop()
        new = {(canonicalize_name(r.name), e) for e in {'', *r.extras}} - seen
        seen |= new
        if new:
            todo += requirements(r.name, r.extras)
    found = {name: importlib.metadata.version(name).split('+')[0] for name, _ in seen if name != 'downscalexr'}
    faults = [f'{name}: {version} installed, {pinned.get(name, "nothing")} pinned' for name, version in sorted(found.items()) if pinned.get(name) != version]
    need(not faults, '\n'.join(faults))
    return f'ok, {len(found)} packages'


@beside
def wheel():
    "wheel: builds, and every module imports outside the checkout"
    copy = copy_source('wheel')
    sh(sys.executable, '-m', 'build', '--wheel', '--no-isolation', '--outdir', SCRATCH/'dist', copy, cwd=SCRATCH)
    built = next((SCRATCH/'dist').glob('*.whl'))
    sh(sys.executable, '-m', 'pip', 'install', '--quiet', '--no-deps', '--target', SCRATCH/'site', built, cwd=SCRATCH)
    ini = ConfigParser()
    ini.read(ROOT/'settings.ini')
    modules = all_modules()
    code = ('import importlib, sys, downscalexr\n'
            f'assert downscalexr.__file__.startswith({str(SCRATCH)!r}) and downscalexr.__version__ == {ini["DEFAULT"]["version"]!r}\n'
            f'for m in {modules!r}: importlib.import_module("downscalexr." + m)')
    sh(sys.executable, '-c', code, cwd=SCRATCH, PYTHONPATH=str(SCRATCH/'site'))


def pythons() -> list[str]:
    "Other Pythons of this machine that the package supports, one of each minor version."
    places = [*(shutil.which(f'python3.{n}') for n in range(11, 20)), *map(str, Path.home().glob('.pyenv/versions/3.*/bin/python3'))]
    found = {}
    for place in filter(None, places):
        asked = subprocess.run([place, '-c', 'import sys; print(*sys.version_info[:2])'], capture_output=True, text=True, stdin=subprocess.DEVNULL)
        version = tuple(map(int, asked.stdout.split())) if asked.returncode == 0 and asked.stdout else ()
        if version >= (3, 11) and version != sys.version_info[:2]:
            found.setdefault(version, place)
    return list(found.values())


@beside
def identity():
    "identity: the same code has the same version under every Python of this machine"
    code = ('import importlib.util, pathlib, platform, sys\n'
            f'folder = pathlib.Path({str(ROOT/"downscalexr")!r})\n'
            'spec = importlib.util.spec_from_file_location("core", folder/"core.py")\n'
            'core = sys.modules["core"] = importlib.util.module_from_spec(spec)\n'
            'spec.loader.exec_module(core)\n'
            'print(platform.python_version(), core.code_version(folder), core.syntax_digest((folder/"core.py").read_text()).hex())')
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
