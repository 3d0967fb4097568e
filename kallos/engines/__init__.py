"""Where photos are processed for a store: local worker processes, or a Ray cluster."""
