"""The work behind commands and `import kallos`, which prints nothing: ingest, extract, train, report, score, ..."""
