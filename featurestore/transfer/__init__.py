"""A store as a folder of Parquet files that any program reads, and back again, equal bit for bit."""
