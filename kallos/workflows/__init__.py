"""What commands and `import kallos` do, without a print: ingest, extract, train, report, predict, export, erase."""
