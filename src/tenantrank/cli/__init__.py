"""The command line: `tenantrank`."""

from tenantrank.cli.app import main

__all__ = ["main"]
