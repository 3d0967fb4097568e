"""Encoders: frozen networks that turn a face crop into embeddings."""
