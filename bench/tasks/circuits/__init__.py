"""One file per task: TASK says what is run, by whom, and how far from the reference it must be."""
