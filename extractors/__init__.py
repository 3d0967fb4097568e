"""Pixels to numbers: decoding, landmarks, geometric and skin features, shapes, embeddings."""
