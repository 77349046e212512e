"""Benchmarks: anyone can rerun them, none is a test. `make bench` runs all and prints one table."""
