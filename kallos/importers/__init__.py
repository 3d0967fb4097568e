"""From the files of a data set to rows, a file an importer: `kallos ingest NAME`, `kallos.ingest("NAME", ...)`."""
