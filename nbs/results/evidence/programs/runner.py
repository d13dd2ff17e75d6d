"Runs a list of recipes on the lent GPU: python runner.py study.json seconds lanes"
import json
import os
import subprocess
import sys
import time

T0 = time.monotonic()
here = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, here)
os.environ.setdefault('CUDA_DEVICE_MAX_CONNECTIONS', '32'); os.environ.setdefault('CUBLAS_WORKSPACE_CONFIG', ':4096:8')
os.environ['DOWNSCALEXR_HOME'] = '/tmp/home'; os.environ['DOWNSCALEXR_DATA'] = here + '/chest_xray'
from pathlib import Path

import numpy as np
import pandas as pd
import PIL
import sklearn
import torch

from downscalexr import core
from downscalexr.data import load_splits
from downscalexr.device import *
from downscalexr.store import append_run, study_images

torch.set_num_threads(8)
from downscalexr import models

_known = {(b['downsample'], b['arch'], b['image_size'], b['control']): tuple(map(int, b['channels'].split('-'))) for b in json.loads(Path(here, 'budgets.json').read_text())['rows']}
_search = models.matched_channels
def looked_up(downsample, arch, image_size, width, control):
    k = (downsample, arch, image_size, control)
    return _known[k] if width == 1. and k in _known else _search(downsample, arch, image_size, width, control)
models.matched_channels = looked_up # the search takes a minute; the table is committed
OUT = Path(os.environ.get('OUT', '/tmp/out'))
def say(*a): print(f'{time.monotonic()-T0:6.1f}', *a, flush=True)
def provenance():
    p = torch.cuda.get_device_properties(0)
    return dict(gpu=p.name, torch=torch.__version__, cuda=torch.version.cuda, cudnn=torch.backends.cudnn.version(), python=sys.version.split()[0],
        numpy=np.__version__, pandas=pd.__version__, sklearn=sklearn.__version__, pillow=PIL.__version__, cpu=core.cpu_name(), cores=os.cpu_count(),
        git_commit=Path(here, 'COMMIT').read_text().strip(), code_version=core.code_version('device', Path(here)/'downscalexr'))
_splits, _data = {}, {}
def splits_of(size, split=0):
    if (size, split) not in _splits:
        _splits[size, split] = load_splits('auto', size, split); say('loaded', size, _splits[size, split].counts())
    return _splits[size, split]
def data_of(r, test):
    k = r.image_size, r.task, r.split, test
    if k not in _data: _data[k] = task_data(splits_of(r.image_size, r.split), r.task, test); say('task', k, _data[k].digests)
    return _data[k]
def main(spec, seconds, lanes):
    spec = json.loads(Path(spec).read_text())
    name, test = spec['name'], spec.get('test', False)
    recipes = [Recipe(**r) for r in spec['recipes']]
    folder = OUT/name; made = provenance(); say(name, len(recipes), 'runs', made)
    pool, n, tables, until = DevicePool('cuda'), 0, {}, T0 + seconds
    (folder).mkdir(parents=True, exist_ok=True)
    (folder/'provenance.json').write_text(json.dumps(made, indent=1))
    t = time.monotonic()
    for row, logits in train_many(recipes, lambda r: data_of(r, test), pool, lanes, until):
        row |= dict(lanes=lanes, **{k: made[k] for k in ('gpu', 'torch', 'cudnn', 'git_commit', 'code_version')}); append_run(folder, row, logits); n += 1
        if n%20 == 0 or not row['graph'] or not row['finite']:
            say(n, row['downsample'], row['arch'], row['image_size'], row['seed'], 'graph', row['graph'], row.get('reason', ''), 'finite', row['finite'], 'loss', round(row['train_loss'], 4), 's', row['seconds'], f'{(time.monotonic()-t)/n:.2f} s/run')
    for d in _data.values(): tables |= {f'{k}': v for k, v in d.tables.items()}
    if tables: study_images(tables).to_csv(folder/'images.csv', index=False)
    say('done', name, n, 'of', len(recipes), f'{time.monotonic()-t:.1f} s', 'memory GB', round(torch.cuda.max_memory_allocated()/1e9, 1))
if __name__ == '__main__': main(sys.argv[1], float(sys.argv[2]), int(sys.argv[3]))
