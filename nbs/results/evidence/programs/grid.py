from dataclasses import asdict, replace
from datetime import datetime, timezone

from runner import *
from runner import _data

from downscalexr.device import run_key
from downscalexr.metrics import auroc
from downscalexr.original import ORIGINAL
from downscalexr.panel import panel_scores
from downscalexr.plan import *
from downscalexr.plan import ABLATION_OPERATORS

LIMIT, given = float(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else ''
made = provenance(); say(made); pool = DevicePool('cuda')
journal, DONE = OUT/'runs', Path('/tmp/done.txt')
done = {l.strip() for f in (DONE, Path(here, 'done.txt')) if f.exists() for l in f.read_text().splitlines()}; say('done before', len(done))
PRINT = splits_of(64).fingerprint
def do(study, recipes, lanes, until, test, names={}):
    left = [r for r in recipes if run_key(r, PRINT) not in done]
    t, k, rows = time.monotonic(), 0, []
    say(study, len(left), 'of', len(recipes), 'to do')
    for row, z in train_many(left, lambda r: data_of(r, test), pool, lanes, until):
        r = Recipe(**{f: row[f] for f in asdict(BASE)})
        row |= dict(study=study, config=names.get(r, ''), lanes=lanes, device='cuda', time_utc=datetime.now(timezone.utc).isoformat(timespec='seconds'), **{q: made[q] for q in ('gpu', 'torch', 'cudnn', 'git_commit', 'code_version')})
        append_run(journal, row, z); k += 1; done.add(row['key'])
        with open(DONE, 'a') as f: f.write(row['key'] + '\n')
        if names:
            t_ = data_of(r, test).tables
            rows.append(dict(config=names[r], downsample=r.downsample, task=r.task, **(panel_scores(t_['val'].label.to_numpy(), z['panel']) if 'panel' in z else dict(hard=auroc(t_['held'].label.to_numpy(), z['held'][0])))))
        if k%23 == 0 or not row['finite'] or not row['graph']: say(k, r.downsample, r.arch, r.image_size, r.seed, 'finite', row['finite'], row.get('reason', ''), f'{(time.monotonic()-t)/k:.2f} s/run')
    say('end', study, k, 'of', len(left), f'{time.monotonic()-t:.1f} s', f'{torch.cuda.max_memory_allocated()/1e9:.0f} GB')
    return rows, k == len(left)
def choose():
    d = data_of(BASE, False); pool.load(d); bits = []
    for _ in (0, 1): bits.append({(row['downsample'], row['seed']): z['val'] for row, z in train_many([replace(BASE, downsample=o, seed=s, updates=96) for o in ORIGINAL for s in (100, 101)], lambda r: d, pool, 6)})
    say('repeats equal bit for bit', sum((bits[0][k] == bits[1][k]).all() for k in bits[0]), 'of', len(bits[0]), 'mean |difference|', np.mean([np.abs(bits[0][k] - bits[1][k]).mean() for k in bits[0]]))
    runs = ablation_runs(); names = {r: n for r, n in runs.items()}
    cand = [r for r in runs if names[r] in CANDIDATES]; rest = [r for r in runs if names[r] not in CANDIDATES]
    rows, _ = do('ablation', cand, 18, T0 + 190, False, names)
    table = score_table(rows); name = choose_recipe(table)
    print(table.round(4).to_string(), flush=True); say('CHOSEN', name)
    return name, rest, names, rows, table
name = given
if not given:
    name, rest, names, rows, table = choose()
    (OUT/'chosen.json').write_text(json.dumps(dict(chosen=name, change=CANDIDATES[name], provenance=made, table=table.reset_index().to_dict('records')), indent=1))
chosen = replace(BASE, **CANDIDATES[name])
plan = studies(chosen)
for study, recipes in plan.items():
    if time.monotonic() > T0 + LIMIT: break
    do(study, recipes, 23 if study != 'resolution' else 12, T0 + LIMIT, True)
    if study == 'operators_mac' and not given: # the sensitivity analysis: panel only
        more, _ = do('ablation', rest, 18, T0 + LIMIT, False, names)
        if more: print(score_table(rows + more).round(4).to_string(), flush=True)
say('all done')
