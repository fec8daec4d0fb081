"""Tables, figures, model cards and reports for people."""
