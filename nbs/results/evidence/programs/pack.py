"Moves journals that came back from a GPU into the committed store: python pack.py JOURNAL [JOURNAL ...]"
import sys
from dataclasses import asdict
from pathlib import Path

from downscalexr.data import load_splits
from downscalexr.device import Recipe, run_key
from downscalexr.panel import HARD, hard_split
from downscalexr.store import evidence, evidence_status, pack, read_journal, study_images

fields, studies = list(asdict(Recipe())), {}
for folder in sys.argv[1:]:
    for row, logits in read_journal(Path(folder)):
        if 'study' not in row: # stage 1 of the ablation, whose recipes had no `repeatable` yet: they were
            row.pop('windows', None)
            row |= dict(repeatable=True, study='ablation', config=f'stage 1: {row["config"]}', device='cuda')
        elif row['study'] == 'ablation': row['config'] = f'stage 2: {row["config"]}'
        row['key'] = run_key(Recipe(**{f: row[f] for f in fields}), row['fingerprint'])
        studies.setdefault(row['study'], []).append(({f: row[f] for f in fields} | row, logits))

splits = load_splits('auto', 64, 0)
for name, runs in studies.items():
    tables = dict(val=splits.val.table)
    tables |= {f'held {h}': hard_split(splits, h)[1].table for h in HARD} if name == 'ablation' else dict(test=splits.test.table)
    print(name, pack(evidence(name), runs, study_images(tables)), 'added')
print(evidence_status())
