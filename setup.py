"Package description, read from settings.ini so that there is one place to edit."
import re
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

ini = ConfigParser()
ini.read(Path(__file__).parent/'settings.ini', encoding='utf-8')
cfg = ini['DEFAULT']
EXTRAS = ('torch', 'predict', 'openvino', 'app', 'study', 'dev', 'cluster', 'deploy', 'sources', 'dagshub')

STATUS = ('Planning', 'Pre-Alpha', 'Alpha', 'Beta', 'Production/Stable', 'Mature', 'Inactive')
FIRST, LAST = 11, 13  # Python 3 versions that are tested
CLASSIFIERS = [
    f"Development Status :: {cfg['status']} - {STATUS[int(cfg['status']) - 1]}",
    f"Intended Audience :: {cfg['audience']}",
    'Intended Audience :: Science/Research',
    'Framework :: Jupyter',
    f"Natural Language :: {cfg['language']}",
    'Operating System :: MacOS',
    'Operating System :: POSIX :: Linux',
    'Programming Language :: C',
    'Programming Language :: Python :: 3 :: Only',
    *(f'Programming Language :: Python :: 3.{minor}' for minor in range(FIRST, LAST + 1)),
    'Topic :: Scientific/Engineering :: Artificial Intelligence',
    'Topic :: Scientific/Engineering :: Image Recognition',
    'Topic :: Scientific/Engineering :: Medical Science Apps.',
    'Typing :: Typed',
]
SITE = cfg['doc_host'] + cfg['doc_baseurl']
URLS = {
    'Documentation': SITE,
    'Source': cfg['git_url'],
    'Issues': f"{cfg['git_url']}/issues",
    'Changelog': f'{SITE}/about/changelog.html',
    'Citation': f'{SITE}/about/cite.html',
}


def absolute(readme):
    "README for a page that has none of the files beside it: links lead to where the repository is kept."
    starts = (('raw', r'(!\[[^\]]*\]\(|<img [^>]*?src=")'), ('blob', r'((?<!!)\[[^\]]*\]\(|<a [^>]*?href=")'))
    for kind, start in starts:
        readme = re.sub(start + r'(?!https?:|#|mailto:)', rf"\g<1>{cfg['git_url']}/{kind}/{cfg['branch']}/", readme)
    return readme


setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=absolute((Path(__file__).parent/'README.md').read_text(encoding='utf-8')),
    long_description_content_type='text/markdown',
    url=SITE,
    project_urls=URLS,
    author=cfg['author'],
    author_email=cfg['author_email'],
    license_expression='Apache-2.0',
    license_files=['LICENSE'],
    keywords=cfg['keywords'].split(),
    classifiers=CLASSIFIERS,
    packages=find_packages(include=[cfg['lib_path'], f"{cfg['lib_path']}.*"]),
    package_data={cfg['lib_path']: ['py.typed', 'kernels/c/*.c', 'kernels/c/*.h', 'deploy/shipped/*',
                                  'deploy/shipped/examples/*']},
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg['requirements'].split(),
    extras_require={name: cfg[f'{name}_requirements'].split() for name in EXTRAS},
    entry_points={'console_scripts': cfg['console_scripts'].split(),
                  'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
