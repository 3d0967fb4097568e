"""`python -m kallos`."""

from kallos.cli import main

main()
