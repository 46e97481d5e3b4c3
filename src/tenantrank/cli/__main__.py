"""`python -m tenantrank.cli`: the command line without its script."""

from tenantrank.cli.app import main

main()
