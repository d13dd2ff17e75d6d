"""Notes of a version from CHANGELOG.md, if all files agree on it: `python .ci/release.py v0.2.0 >notes.md`."""
import re
import sys
from configparser import ConfigParser
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]


def sections(changelog: str) -> dict[str, tuple[str, str]]:
    "Version → its date (empty: none) and its text."
    parts = re.split(r'^## \[([^\]]+)\](?: - (\S+))?\n', changelog, flags=re.MULTILINE)[1:]
    return {version: (date or '', text.strip()) for version, date, text in zip(*[iter(parts)]*3)}


def faults(version: str, root: Path=ROOT) -> list[str]:
    "What keeps a version from being released."
    ini = ConfigParser()
    ini.read(root/'settings.ini', encoding='utf-8')
    cff = yaml.safe_load((root/'CITATION.cff').read_text(encoding='utf-8'))
    made = re.search(r"__version__ = '?\"?([\w.]+)", (root/'downscalexr'/'__init__.py').read_text(encoding='utf-8'))
    date, text = sections((root/'CHANGELOG.md').read_text(encoding='utf-8')).get(version, ('', ''))
    wanted = {'settings.ini': ini['DEFAULT']['version'], 'downscalexr/__init__.py': made and made[1],
              'CITATION.cff': str(cff['version'])}
    found = [f'{name} says {said}, not {version}' for name, said in wanted.items() if said != version]
    if not text:
        found.append(f'CHANGELOG.md has no section [{version}] with text')
    if not re.fullmatch(r'\d{4}-\d\d-\d\d', date) or str(cff['date-released']) != date:
        found.append(f'CHANGELOG.md dates it {date or "not at all"}, CITATION.cff {cff["date-released"]}')
    return found


if __name__ == '__main__':
    if len(sys.argv) != 2:
        sys.exit('Give one tag, e.g. v0.2.0.')
    number = sys.argv[1].removeprefix('v')
    if wrong := faults(number):
        sys.exit(f'{sys.argv[1]} cannot be released:\n' + '\n'.join(wrong))
    print(sections((ROOT/'CHANGELOG.md').read_text(encoding='utf-8'))[number][1])
