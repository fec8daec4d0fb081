"""One's own captures."""
