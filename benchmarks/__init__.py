"""Measurements that are not part of the package; `make bench-store` runs those of the store."""
