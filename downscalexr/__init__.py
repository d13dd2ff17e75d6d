"""Which downsampling layer should a small, CPU-bound chest X-ray classifier use?

The names in `__all__` are what other code may rely on, with the modules `operators` (the wing), `downsample`, `networks`, `models`,
`data`, `train`, `study` and `analysis`. Each is imported when it is first used, so that `import downscalexr` is quick.
"""
__version__ = "0.1.0"

_homes = dict(TrainConfig='train', build_model='models', load_splits='data', make_downsample='downsample', register='downsample', train_run='train')
__all__ = sorted(_homes)


def __getattr__(name: str):
    "A promised name, from the module it lives in."
    if name not in _homes:
        raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module
    return getattr(import_module(f'.{_homes[name]}', __name__), name)
