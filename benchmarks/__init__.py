"""The figures of this machine: ``python -m benchmarks`` (``make bench``)."""
