"""Install this checkout beside the PyTorch that a machine has (Colab, Binder), which pip then keeps or stops at.

`python .binder/install.py --extras study`; `--dry-run` only says what pip would do.
"""
import argparse
import importlib.metadata
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KEPT = ('torch', 'torchvision', 'torchaudio', 'triton', 'numpy')  # built for the machine; another build may not fit it


def constraints() -> list[str]:
    "What must stay as it is, e.g. 'torch==2.9.0+cu126'."
    found = []
    for name in KEPT:
        try:
            found.append(f'{name}=={importlib.metadata.version(name)}')
        except importlib.metadata.PackageNotFoundError:
            pass
    if not any(line.startswith('torch==') for line in found):
        sys.exit('PyTorch is not installed here; use `make setup` in a checkout instead.')
    return found


def command(extras: str, pins: Path, more: list[str]) -> list[str]:
    "The call of pip."
    return [sys.executable, '-m', 'pip', 'install', '--quiet', '--no-cache-dir', '-c', str(pins), *more,
            f'{ROOT}[{extras}]']


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description='Install this checkout and keep the PyTorch that is there.')
    parser.add_argument('--extras', default='study', help='names from settings.ini, e.g. study,predict')
    parser.add_argument('--dry-run', action='store_true', help='change nothing')
    asked = parser.parse_args()
    kept = constraints()
    with tempfile.TemporaryDirectory() as folder:
        pins = Path(folder)/'constraints.txt'
        pins.write_text('\n'.join(kept) + '\n', encoding='utf-8')
        print('kept:', ', '.join(kept))
        subprocess.run(command(asked.extras, pins, ['--dry-run'] if asked.dry_run else []), check=True)
