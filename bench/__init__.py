"""Benchmarks: medians and ratios in one run, printed with n and spread."""
