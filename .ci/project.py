"""Checks of what surrounds the code: `python .ci/project.py references`, workflows, forms, citation, about, online.

Each function returns a list of faults; the command prints them and ends with 1 where there are any.
"""
import importlib.util
import json
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from configparser import ConfigParser
from pathlib import Path

import nbformat
import yaml
from nbdev.doclinks import _nbpath2html

ROOT = Path(__file__).resolve().parents[1]
INI = ConfigParser()
INI.read(ROOT/'settings.ini', encoding='utf-8')
CFG = INI['DEFAULT']
NOTEBOOKS = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb')
                   if not any(part.startswith(('.', '_')) for part in p.relative_to(ROOT).parts))


def script(name: str):
    "A module beside this one."
    spec = importlib.util.spec_from_file_location(name, ROOT/'.ci'/f'{name}.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def prose(notebook: Path) -> str:
    "The markdown of a notebook, without code and addresses."
    cells = json.loads(notebook.read_text(encoding='utf-8'))['cells'] # nbformat takes its time
    text = '\n\n'.join(''.join(c['source']) for c in cells if c['cell_type'] == 'markdown')
    return re.sub(r'```.*?```|`[^`\n]*`|https?://[^\s)]+', '', text, flags=re.DOTALL)


def plain(text: str) -> str:
    "Letters alone, small and without accents, of a name in BibTeX or in Unicode."
    text = re.sub(r'\\v\b|\\.', '', text)
    return re.sub(r'[^a-z]', '', unicodedata.normalize('NFKD', text).lower())


def entries(text: str) -> list[tuple[str, dict]]:
    "Key and fields of each entry of a BibTeX file."
    found = []
    for key, body in re.findall(r'^@\w+\{([^,\s]+),\n(.*?)^\}', text, re.MULTILINE | re.DOTALL):
        fields = re.findall(r'^  (\w+) = \{(.*?)\},\n(?=  \w+ = |\Z)', body, re.MULTILINE | re.DOTALL)
        found.append((key, {name: ' '.join(value.split()) for name, value in fields}))
    return found


def surnames(fields: dict) -> list[str]:
    "Surnames of an entry, plain; 'others' stands for more."
    return [plain(name.split(',')[0]) for name in fields.get('author', '').split(' and ')]


def entry_faults(key: str, fields: dict) -> list[str]:
    "What is wrong with one entry of the bibliography."
    ways = {'doi': r'10\.\d{4,9}/\S+', 'eprint': r'\d{4}\.\d{4,5}', 'url': r'https?://\S+', 'note': r'No DOI known.*'}
    right = [way for way, pattern in ways.items() if re.fullmatch(pattern, fields.get(way, ''))]
    faults = {
        'no author, title or year': not all(fields.get(f) for f in ('author', 'title', 'year')),
        'no DOI, arXiv number or address, and no note that says so': not right,
        'a DOI or arXiv number of another form': any(f in fields and f not in right for f in ('doi', 'eprint')),
        'its key lacks its year': fields.get('year', '?') not in key,
        'its key does not begin with its first author':
            not fields.get('author', '').startswith('{') and not key.startswith(surnames(fields)[0]),
    }
    return [f'references.bib: {key}: {fault}' for fault, found in faults.items() if found]


def cited(text: str) -> set[str]:
    "Keys in prose; addresses of e-mail are none."
    return set(re.findall(r'(?<![\w@.])@(\w+)', text))


OPERATORS = """
import json
import downscalexr.downsample
from downscalexr.operators.registry import get_operator, operators
print(json.dumps([[name, get_operator(name).source, get_operator(name).make.__module__] for name in operators()]))
"""


def meant(source: str, bib: dict) -> list[str]:
    "Keys that an operator's source, e.g. 'Zeiler & Fergus 2013', can mean."
    names, year = source.rsplit(' ', 1)
    first, wanted = plain(re.split(r' & | et al\.', names)[0]), 2 if '&' in names else 3 if 'et al.' in names else 1
    return [key for key, f in bib.items() if f.get('year') == year and surnames(f)[0] == first
            and min(len(surnames(f)), 3) == wanted]


def operator_faults(bib: dict, pages: dict) -> list[str]:
    "Operators whose source is not cited on the page that registers them."
    said = subprocess.run([sys.executable, '-c', OPERATORS], cwd=ROOT, capture_output=True, text=True, check=True)
    exported = {m[1]: p for p in NOTEBOOKS if (m := re.search(r'#\| default_exp ([\w.]+)', p.read_text('utf-8')))}
    found = json.loads(said.stdout)
    faults = [] if found else ['no operator is registered']
    for name, source, module in found:
        page = exported[module.removeprefix('downscalexr.')]
        if not set(meant(source, bib)) & cited(pages[page]):
            faults.append(f'{page.name}: the source of {name}, {source}, is not cited')
    return faults


def references() -> list[str]:
    "One bibliography, whole, and each entry cited; every operator's source on its page."
    listed = entries((ROOT/'nbs'/'references.bib').read_text(encoding='utf-8'))
    bib, pages = dict(listed), {p: prose(p) for p in NOTEBOOKS}
    used = {page: cited(text) for page, text in pages.items()}
    twice = [k for counted in (Counter(k for k, _ in listed), Counter(f['doi'] for _, f in listed if 'doi' in f))
             for k, n in counted.items() if n > 1]
    faults = [f'references.bib: {k} stands there twice' for k in twice]
    faults += [fault for key, fields in listed for fault in entry_faults(key, fields)]
    faults += [f'{p.name}: @{k} is not in references.bib' for p, keys in used.items() for k in sorted(keys - set(bib))]
    faults += [f'references.bib: {k} is cited nowhere' for k in sorted(set(bib) - set().union(*used.values()))]
    faults += [f'{p.name}: cite {m!r} with @key' for p, text in pages.items()
               for m in re.findall(r'\w+ et al\.,? \(?(?:1[89]|20)\d\d', text)]
    for name in ('README.md', 'nbs/index.ipynb'):
        path = ROOT/name
        text = prose(path) if path.suffix == '.ipynb' else path.read_text(encoding='utf-8')
        shown = sorted(cited(text) & set(bib))
        faults += [f'{name}: @{k} shows as it is on GitHub; link the source instead' for k in shown]
    return faults + operator_faults(bib, pages)


def step_faults(where: str, text: str, job: dict) -> list[str]:
    "What is wrong with a job of a workflow."
    faults = [] if 'timeout-minutes' in job or 'uses' in job else [f'{where}: no timeout-minutes']
    for uses in filter(None, [job.get('uses'), *(step.get('uses') for step in job.get('steps', []))]):
        comment = re.search(re.escape(uses) + r' # v\d+(\.\d+)*$', text, re.MULTILINE)
        if not uses.startswith('./') and not (re.fullmatch(r'[\w./-]+@[0-9a-f]{40}', uses) and comment):
            faults.append(f'{where}: {uses} is not pinned to a commit, with its tag as a comment')
    for step in job.get('steps', []):
        if re.search(r'\$\{\{[^}]*(github\.(event|head_ref|ref_name)|inputs\.)', step.get('run', '')):
            faults.append(f'{where}: a script holds text that others choose; pass it as a variable of the environment')
    return faults


def workflow_faults(path: Path) -> list[str]:
    "What is wrong with a workflow."
    text = path.read_text(encoding='utf-8')
    whole = yaml.safe_load(text)
    started = isinstance(whole, dict) and (whole.get('on') or whole.get(True)) # to YAML, on is true
    if not started or not isinstance(whole.get('jobs'), dict):
        return [f'{path.name}: no mapping with `on` and `jobs`']
    faults = []
    if whole.get('permissions') != {'contents': 'read'}:
        faults.append(f'{path.name}: its permissions must be contents: read; a job may ask for more')
    if any(not isinstance(job.get('permissions', {}), dict) for job in whole['jobs'].values()):
        faults.append(f'{path.name}: a job lists its permissions one by one')
    return faults + [f for name, job in whole['jobs'].items() for f in step_faults(f'{path.name}, {name}', text, job)]


HOSTS = r'pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.org/|npmjs\.(org|com)/'


def workflows() -> list[str]:
    "Workflows: YAML, rights, pinned actions; no address of a package index in any file of the repository."
    paths = sorted((ROOT/'.github'/'workflows').glob('*.y*ml'))
    wanted = {'test.yml', 'docs.yml', 'release.yml', 'weekly.yml', 'dependencies.yml'}
    faults = [f'.github/workflows lacks {name}' for name in sorted(wanted - {p.name for p in paths})]
    words = ['git', 'grep', '-lIE', HOSTS, '--', '.']
    named = subprocess.run(words, cwd=ROOT, capture_output=True, text=True).stdout.split()
    faults += [f'{name}: it holds the address of a package index' for name in named]
    return faults + [fault for path in paths for fault in workflow_faults(path)]


def forms() -> list[str]:
    "Issue forms as GitHub wants them: a name, a description, fields with labels and ids of their own."
    folder, faults = ROOT/'.github'/'ISSUE_TEMPLATE', []
    paths = sorted(set(folder.glob('*.yml')) - {folder/'config.yml'})
    faults += [] if len(paths) >= 3 else ['there must be forms for a bug, an operator and a result']
    for path in paths:
        form = yaml.safe_load(path.read_text(encoding='utf-8'))
        fields = [f for f in form.get('body', []) if f['type'] != 'markdown']
        whole = form.get('name') and form.get('description') and fields
        labels = all(f.get('attributes', {}).get('label') for f in fields)
        ids = [f.get('id') for f in fields]
        if not (whole and labels and all(ids) and len(set(ids)) == len(ids)):
            faults.append(f'{path.name}: a name, a description and fields with labels and ids of their own are needed')
    return faults


def citation() -> list[str]:
    "CITATION.cff, the changelog and the version agree; each release has a section."
    release, cff = script('release'), yaml.safe_load((ROOT/'CITATION.cff').read_text(encoding='utf-8'))
    about = script('about')
    wanted = {'repository-code': CFG['git_url'], 'url': about.SITE, 'license': 'Apache-2.0', 'cff-version': '1.2.0'}
    faults = [f'CITATION.cff: {k} is {cff.get(k)}, not {v}' for k, v in wanted.items() if cff.get(k) != v]
    faults += release.faults(CFG['version'])
    sections = release.sections((ROOT/'CHANGELOG.md').read_text(encoding='utf-8'))
    faults += [f'CHANGELOG.md: [{v}] has no date or no text' for v, (date, text) in sections.items()
               if v != 'Unreleased' and not (date and text)]
    return faults + ([] if 'Unreleased' in sections else ['CHANGELOG.md has no section [Unreleased]'])


def page_faults(name: str, text: str, names: set[str]) -> list[str]:
    "What is wrong with one page about the project."
    _, front, body = text.split('---\n', 2)
    head = yaml.safe_load(front)
    faults = [] if head.get('title') and head.get('description') else [f'about/{name}: no title or description']
    outside = re.sub(r'```.*?```|`[^`\n]*`', '', body, flags=re.DOTALL)
    if re.search(r'^# ', outside, re.MULTILINE):
        faults.append(f'about/{name}: a second title')
    for target in re.findall(r'\]\((?!https?:|#|mailto:)([^)\s#]+)', outside):
        if not (ROOT/'nbs'/'about'/target).resolve().exists() and target not in names:
            faults.append(f'about/{name}: the link to {target} leads nowhere')
    return faults


def about() -> list[str]:
    "Pages about the project are made, linked and listed; llms.txt has each page once."
    module = script('about')
    pages, sidebar = module.pages(), (ROOT/'nbs'/'sidebar.yml').read_text(encoding='utf-8')
    listed = re.findall(r'about/([\w-]+\.qmd)', sidebar)
    faults = [] if sorted(listed) == sorted(pages) else [f'sidebar.yml lists {listed}, made are {sorted(pages)}']
    faults += [fault for name, text in pages.items() for fault in page_faults(name, text, set(pages))]
    made = re.findall(r'^- \[.+?\]\((\S+)\): .', module.llms(), re.MULTILINE)
    places = [p.relative_to(ROOT/'nbs') for p in NOTEBOOKS]
    wanted = [f'{module.SITE}/{_nbpath2html(p).as_posix()}.md' for p in places]
    return faults + [f'llms.txt: {a} is missing or one too many' for a in sorted(set(wanted) ^ set(made))] \
                  + [f'llms.txt: {a} stands there twice' for a, n in Counter(made).items() if n > 1]


def online() -> list[str]:
    "What Binder and Colab read."
    spec = importlib.util.spec_from_file_location('install', ROOT/'.binder'/'install.py')
    install = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(install)
    kept = install.constraints()
    environment = yaml.safe_load((ROOT/'.binder'/'environment.yml').read_text(encoding='utf-8'))
    notebook = nbformat.read(ROOT/'.binder'/'colab.ipynb', as_version=4)
    nbformat.validate(notebook)
    code = '\n'.join(c.source for c in notebook.cells if c.cell_type == 'code')
    needs = [str(d) for d in environment['dependencies']]
    missing = [p for p in script('about').ONLINE if not (ROOT/'nbs'/p).exists()]
    faults = {
        'install.py does not keep PyTorch': not any(line.startswith('torch==') for line in kept),
        'environment.yml needs channels and PyTorch without CUDA':
            'conda-forge' not in environment['channels'] or not any('pytorch-cpu' in d for d in needs),
        'postBuild cannot be executed': not (ROOT/'.binder'/'postBuild').stat().st_mode & 0o100,
        'colab.ipynb has another address than settings.ini': f"'{CFG['git_url']}'" not in code,
        'colab.ipynb installs past install.py': 'pip install' in code or '.binder/install.py' not in code,
        'colab.ipynb holds outputs': any(c.get('outputs') for c in notebook.cells),
        f'links to {", ".join(missing)}, which are not there': missing,
    }
    return [f'binder: {fault}' for fault, found in faults.items() if found]


ALL = (references, workflows, forms, citation, about, online)


if __name__ == '__main__':
    names = {f.__name__: f for f in ALL}
    if unknown := sorted(set(sys.argv[1:]) - set(names)):
        sys.exit(f'no check is called {", ".join(unknown)}; there are {", ".join(names)}')
    wrong = [fault for name in sys.argv[1:] or names for fault in names[name]()]
    sys.exit('\n'.join(wrong) or 0)
