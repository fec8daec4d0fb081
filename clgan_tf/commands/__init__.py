"""One file a mode: it joins the rooms for one task and tells the user what came of it.

`run` takes the mode's settings, and where it may prepare data on the way PrepareSettings or None. It returns whether a
capture was damaged, which it has told. A file imports what its mode needs, so that `classify` starts in seconds.
"""
