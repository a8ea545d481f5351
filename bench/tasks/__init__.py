"""Tasks of the benchmarks, one file each, and the adapters to other libraries."""
