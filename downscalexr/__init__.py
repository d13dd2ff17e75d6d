"""Which downsampling layer should a small, CPU-bound chest X-ray classifier use?

Other code may rely on the names in `__all__` and on the modules `operators` (a folder), `downsample`, `networks`,
`models`, `data`, `train`, `study` and `analysis`. Names are imported when they are first used, so that
`import downscalexr` is quick.
"""
__version__ = "0.1.0"

_homes = dict(TrainConfig='train', build_model='models', load_splits='data', make_downsample='downsample',
              register='downsample', train_run='train')
__all__ = sorted(_homes)


def __getattr__(name: str):
    "A promised name, from the module it lives in."
    if name not in _homes:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module  # here: most imports of the package do not need it
    return getattr(import_module(f'.{_homes[name]}', __name__), name)
