"C kernels. What trains imports the parts that register with `common.fastpaths`; what only predicts compiles with `build` and `constants`, without PyTorch."
