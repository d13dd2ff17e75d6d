"""Pages about the project, from the files at the top of the checkout, and llms.txt; written before the site is made.

They are not committed: CHANGELOG.md, CONTRIBUTING.md and the like are the one place to edit.
"""
import json
import re
from pathlib import Path

import yaml
from readme import INI, ROOT, outside_code

CFG = INI['DEFAULT']
SITE = CFG['doc_host'] + CFG['doc_baseurl']
FILES = f"{CFG['git_url']}/blob/{CFG['branch']}"
ONLINE = {'index.ipynb': 'the answer, with its figure',
          '01_data.ipynb': 'what the images are',
          'operators/09_downsample.ipynb': 'all operators side by side',
          '03_train.ipynb': 'train one model on the phantom'}


def text_of(name: str) -> str:
    "A file at the top of the checkout."
    return (ROOT/name).read_text(encoding='utf-8')


def relinked(text: str) -> str:
    "Links of a file at the top, as seen from nbs/about: pages by their place, other files in the repository."
    def link(m):
        target = m[1]
        if target.startswith('nbs/') and target.split('#')[0].endswith('.ipynb'):
            return f']({target.replace("nbs/", "../", 1)})'
        return f']({FILES}/{target})'
    return outside_code(text, lambda prose: re.sub(r'\]\((?!https?:|#|mailto:)([^)\s]+)\)', link, prose))


def page(title: str, description: str, body: str) -> str:
    "A Quarto page of its own; one format, since the markdown twins are those of notebooks."
    return f'---\ntitle: "{title}"\ndescription: "{description}"\nformat: html\n---\n\n{body.strip()}\n'


def without_title(name: str) -> str:
    "A markdown file less its heading of the first level, which the page's title replaces."
    return re.sub(r'\A# .*\n', '', relinked(text_of(name)))


def bibtex(cff: dict) -> str:
    "CITATION.cff as an entry of BibTeX."
    authors = ' and '.join(f"{{{a['name']}}}" if 'name' in a else f"{a['family-names']}, {a['given-names']}"
                           for a in cff['authors'])
    fields = dict(author=authors, title=f"{{{cff['title']}}}", year=str(cff['date-released'])[:4],
                  version=cff['version'], url=cff['repository-code'])
    return '@software{downscalexr,\n' + ''.join(f'  {k} = {{{v}}},\n' for k, v in fields.items()) + '}'


def cite() -> str:
    "How to cite the package, the study that it repeats and the images."
    cff = yaml.safe_load(text_of('CITATION.cff'))
    names = ', '.join(a.get('name') or f"{a['family-names']}, {a['given-names']}" for a in cff['authors'])
    plain = f"{names}: {cff['title']}, version {cff['version']} ({cff['date-released']}). <{cff['repository-code']}>"
    return f'''
## The package

{plain}

```bibtex
{bibtex(cff)}
```

The same stands in [CITATION.cff]({FILES}/CITATION.cff), which GitHub and Zotero read. Name the commit, too,
where a number is quoted: results are filed with the commit that made them.

## What it builds on

The study that it repeats [@original2025], and its images [@kermany2018; @kermany2018data, CC BY 4.0]. An operator
is cited by the paper that stands on its page; all of them are among the [references](references.qmd).
'''


def badge(url: str, kind: str, alt: str) -> str:
    "A badge that is also a link."
    image = dict(binder='https://mybinder.org/badge_logo.svg',
                 colab='https://colab.research.google.com/assets/colab-badge.svg')[kind]
    return f'[![{alt}]({image})]({url})'


def on_binder(notebook: str) -> str:
    "Where a notebook below nbs opens in JupyterLab on Binder."
    place = notebook.replace('/', '%2F')
    return f"https://mybinder.org/v2/gh/{CFG['user']}/{CFG['repo']}/{CFG['branch']}?labpath=nbs%2F{place}"


def on_colab(notebook: str) -> str:
    "Where a notebook of the repository opens on Colab."
    return f"https://colab.research.google.com/github/{CFG['user']}/{CFG['repo']}/blob/{CFG['branch']}/{notebook}"


def online() -> str:
    "Ways to try it without installing anything."
    rows = [f'| [{what}](../{name}) | {badge(on_binder(name), "binder", f"Open {name} on Binder")} |'
            for name, what in ONLINE.items()]
    start = badge(on_colab('.binder/colab.ipynb'), 'colab', 'Open the first steps on Colab')
    return f'''
Both places compute on synthetic images, the phantom: no radiograph is in the repository.

## Binder

A free machine with one or two cores for some hours. The first start builds an image and takes some minutes; PyTorch
is the build without CUDA. Every notebook of the repository can be opened there.

| page | |
|---|---|
{chr(10).join(rows)}

## Colab

{start}

One notebook of its own takes the first steps there. It installs the package beside the PyTorch that Colab has: what
is installed is written into a list of constraints first, so that pip keeps it or stops, and never takes another.
'''


def references() -> str:
    "All entries of the bibliography, cited or not."
    return 'Each page lists what it cites; these are all of them.\n\n::: {#refs}\n:::'


def pages() -> dict[str, str]:
    "File name below nbs/about → text."
    found = dict(
        cite=page('Cite this', 'What to name where a number or an operator of this project is used.', cite()),
        changelog=page('Changelog', 'What changed, version by version.', without_title('CHANGELOG.md')),
        licence=page('Licence', 'Apache 2.0, for code and pages; the images have a licence of their own.',
                     f'```text\n{text_of("LICENSE").strip()}\n```'),
        contributing=page('Contributing', 'How a change is made, and what it must keep.',
                          without_title('CONTRIBUTING.md')),
        conduct=page('Code of conduct', 'How we treat each other, and whom to tell where that fails.',
                     without_title('.github/CODE_OF_CONDUCT.md')),
        online=page('Try it online', 'The notebooks on Binder and Colab, without installing anything.', online()))
    whole = page('References', 'Papers, data and books that the pages rest on.', references())
    found['references'] = whole.replace('format: html', "format: html\nnocite: '@*'")
    return {f'{name}.qmd': text for name, text in found.items()}


def opening(notebook: Path) -> tuple[str, str]:
    "Title and the line below it, from a notebook's first cell."
    first = ''.join(json.loads(notebook.read_text(encoding='utf-8'))['cells'][0]['source'])
    title, _, line = first.partition('\n')
    return title.lstrip('# ').strip(), line.strip().lstrip('>').strip()


def twin(notebook: str) -> str:
    "Address of a page's markdown twin; nbdev leaves out the number before a file's name."
    folder, _, name = notebook.rpartition('/')
    name = re.sub(r'^\d+[a-zA-Z0-9]*_', '', name.lower()).removesuffix('.ipynb')
    return '/'.join(filter(None, [SITE, folder, f'{name}.html.md']))


def parts(contents: list, title: str) -> list[tuple[str, str]]:
    "Section and notebook of each entry of a part of the sidebar."
    found = []
    for item in contents:
        if isinstance(item, dict) and 'contents' in item:
            found += parts(item['contents'], item['section'])
        else:
            name = item if isinstance(item, str) else item.get('href', '')
            found += [(title, name)] if name.endswith('.ipynb') else []
    return found


def llms() -> str:
    "The site for language models, as llmstxt.org describes it: a line for each page, with the address of its markdown."
    title, line = opening(ROOT/'nbs'/'index.ipynb')
    sidebar = yaml.safe_load((ROOT/'nbs'/'sidebar.yml').read_text(encoding='utf-8'))
    lines, section = [f'# {title}', '', f'> {line}'], None
    for name, notebook in parts(sidebar['website']['sidebar']['contents'], 'First'):
        if name != section:
            lines += ['', f'## {name}', '']
            section = name
        title, line = opening(ROOT/'nbs'/notebook)
        lines.append(f'- [{title}]({twin(notebook)}): {line}')
    return '\n'.join(lines) + '\n'


if __name__ == '__main__':
    folder = ROOT/'nbs'/'about'
    folder.mkdir(exist_ok=True)
    for name, text in pages().items():
        (folder/name).write_text(text, encoding='utf-8')
    (ROOT/'nbs'/'llms.txt').write_text(llms(), encoding='utf-8')
