"""Training of the guard's tagger: text of our own, filled with made-up people and numbers."""
