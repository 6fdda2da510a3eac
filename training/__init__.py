"""What makes the data files that ship in the package; needed by nobody who uses it."""
