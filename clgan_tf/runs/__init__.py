"""One run on disk: its directory, its result, and the environment it ran in."""
