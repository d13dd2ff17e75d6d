"""The comparisons of the C kernels' pages with PyTorch, on a few cases, with the C compiled for the address and the
undefined-behaviour sanitizer. Ends with their report and another exit code than 0 where one finds something."""
import ast
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FLAGS = ('-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-fno-omit-frame-pointer')
BLOCKS = [(6, 16, 5, 1, 'avgpool', 31, 30), (6, 16, 5, 1, 'maxpool', 20, 19), (6, 16, 5, 2, '', 31, 34),
          (1, 6, 5, 2, '', 40, 41), (2, 4, 7, 1, 'avgpool', 9, 40), (1, 1, 2, 2, '', 3, 3)]
LAYERS = [(7, 5, 16, 1), (13, 9, 176, .4), (3, 11, 80, 0)]
SCORED = [(1, 5, 1), (9, 2050, 4), (34, 33, 5)]


def defines(statement: ast.stmt) -> bool:
    "Whether a statement imports, defines or names a constant, and runs nothing."
    if isinstance(statement, ast.Assign):
        return ast.unparse(statement.targets[0]).isupper()
    return isinstance(statement, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef))


def definitions(page: str) -> dict:
    "What the code cells of a page define."
    names = dict(__name__=page)
    for cell in json.loads((ROOT/'nbs'/'kernels'/f'{page}.ipynb').read_text(encoding='utf-8'))['cells']:
        if cell['cell_type'] == 'code':
            body = [s for s in ast.parse(''.join(cell['source'])).body if defines(s)]
            exec(compile(ast.Module(body, []), page, 'exec'), names)
    return names


def compare_all():
    "Compare a few cases of each page with PyTorch; in a process that loaded the sanitizers first."
    import numpy as np
    import torch

    from downscalexr.kernels import build
    build.OPTIONS = (*build.OPTIONS, '-O1')  # compiles in a third of the time
    torch.set_num_threads(2)
    torch.manual_seed(0)
    pages = '06_block', '07_linear', '08_augment', '09_dense'
    cells = [definitions(page) for page in pages]
    block, linear, augment, dense = (c['compare'] for c in cells)
    for sizes in BLOCKS:
        block(*sizes)
    for sizes in LAYERS:
        linear(*sizes)
    for sizes in SCORED:
        dense(*sizes)
        cells[3]['compare_bytes'](*sizes)
    for side in (16, 37):
        augment(np.random.default_rng(0).integers(0, 256, (9, 1, side, side), dtype='uint8'), 90)
    print(f'{len(BLOCKS)} blocks, {len(LAYERS)} + {2*len(SCORED)} linear layers and 2 batches: nothing found')


def library(compiler: list[str], name: str) -> str:
    "The path of one of the compiler's libraries."
    done = subprocess.run([*compiler, f'-print-file-name={name}'], capture_output=True, text=True, check=True)
    return str(Path(done.stdout.strip()).resolve())


def main() -> int:
    "Start the comparisons with the sanitizers loaded before Python; returns the exit code."
    compiler = shlex.split(os.environ.get('CC') or 'gcc')
    with tempfile.TemporaryDirectory() as cache:
        first = ':'.join(library(compiler, name) for name in ('libasan.so', 'libubsan.so'))
        env = dict(os.environ, CC=shlex.join([*compiler, *FLAGS]), XDG_CACHE_HOME=cache, LD_PRELOAD=first,
                   ASAN_OPTIONS='detect_leaks=0', UBSAN_OPTIONS='print_stacktrace=1', PYTHONPATH=str(ROOT))
        return subprocess.run([sys.executable, __file__, 'compare'], env=env, stdin=subprocess.DEVNULL).returncode


if __name__ == '__main__':
    sys.exit(compare_all() if sys.argv[1:] == ['compare'] else main())
