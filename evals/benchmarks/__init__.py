"""Benchmarks of the parts, on public data sets or on your own."""
