"""The audit and evidence system for clinical AI; start at `phitrail.sdk`."""
