"""`python -m tenantrank.cli`: the command line without its script."""

from tenantrank.cli import main

main()
