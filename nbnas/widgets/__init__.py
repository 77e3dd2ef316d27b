"""What notebooks show: the only layer that knows Jupyter. Widgets show, they do not compute."""
