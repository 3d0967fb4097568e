"""Looking after a store: migrations, health, compacting, erasure and the proof of it."""
