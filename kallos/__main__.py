"""`python -m kallos`."""

from kallos.cli.app import main

main()
