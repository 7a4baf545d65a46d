"""Benchmarks of the runner: ratios and differences against something named, in one run."""
