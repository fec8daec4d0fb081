"""Many runs from one file: the grid of settings, the loop over its cells, and resuming."""
