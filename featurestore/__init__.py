"""What is known about each image, in one DuckDB file. No torch and no MediaPipe on this floor."""
