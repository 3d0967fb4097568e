"""Importers, one per file, from the files of a data set to rows: `kallos ingest NAME`, `kallos.ingest("NAME", ...)`."""
