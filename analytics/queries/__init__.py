"""The SQL of the statistics, one file each."""
