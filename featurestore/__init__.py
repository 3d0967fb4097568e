"""What is known about each image, in one DuckDB file. No torch and no MediaPipe on this floor.

store, schema, snapshots    the file, its tables, and copies for readers beside a writer
ingest/                     data sets, from their files to rows
outputs, versions, views    what extractors write: a table a version, which of them people see, and the views they see
planning                    what is left to compute
normalization, statistics   z-scores, and what they are computed with: fitted on the training rows of each fold
training_*, verification    a fold's rows, pinned, and derived again
runs                        what was trained, and its predictions
duplicates, similarity      photos that look like one, and the nearest faces
checks/, user_sql           is the data sound; people's SQL
transfer/, upkeep/          stores elsewhere; migrations, health, compacting, erasure
records, scale, errors      what rooms hand to each other, the range of scores, and every expected error
"""
