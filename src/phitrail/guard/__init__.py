"""The output guard: PHI in what a model says, and what to do about it."""
