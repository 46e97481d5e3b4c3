"""The command line: `tenantrank`."""

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line and exit."""
    try:
        # Imported here, so that an interruption while it loads ends as any other does.
        from tenantrank.cli.app import main as run
    except KeyboardInterrupt:
        sys.exit(130)
    run()
