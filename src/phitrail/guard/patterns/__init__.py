"""What has a shape: identifiers that a rule can find; `finder.find_patterns` is the door."""
