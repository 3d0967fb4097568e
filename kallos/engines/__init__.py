"""Where photos are looked at for a store: worker processes here, or a Ray cluster."""
