"""Charts of runs: each a data function and a draw function, without torch and without Jupyter."""
