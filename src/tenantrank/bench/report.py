"""The report: a run's tables, or their summary, between two markers of a document, and its plots into a folder.

Run as ``python -m tenantrank.bench.report RESULTS.json --into DOCUMENT [--plots FOLDER]``.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tenantrank.bench.plots import draw
from tenantrank.bench.results import Run, read_run
from tenantrank.bench.tables import markdown, summary
from tenantrank.errors import InputError, TenantrankError

BEGIN, END = "<!-- bench:begin -->", "<!-- bench:end -->"
SUMMARY_BEGIN, SUMMARY_END = "<!-- bench-summary:begin -->", "<!-- bench-summary:end -->"

_PAGE = f"# Benchmarks\n\n{BEGIN}\n{END}\n"


def write_between(document: Path, run: Run) -> None:
    """Replace what stands between the markers of a document by a run's tables; the rest stays as it is.

    A document with the markers of the summary, and not those of all tables, gets the summary.

    Raises
    ------
    InputError
        where the document cannot be read or written, or does not have both markers, once each and in order
    """
    try:
        text = document.read_text(encoding="utf-8")
        short = BEGIN not in text and SUMMARY_BEGIN in text
        begin, end = (SUMMARY_BEGIN, SUMMARY_END) if short else (BEGIN, END)
        if text.count(begin) != 1 or text.count(end) != 1 or text.index(begin) > text.index(end):
            raise InputError(f"{document}: needs the line {begin} and, below it, the line {end}, once each")
        before, after = text.partition(begin)[0], text.partition(end)[2]
        written = summary(run) if short else markdown(run)
        document.write_text(f"{before}{begin}\n\n{written}\n{end}{after}", encoding="utf-8")
    except OSError as error:
        raise InputError(f"{document}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise InputError(f"{document}: is not UTF-8") from None


def write_report(folder: Path, run: Run) -> list[Path]:
    """Write a page of tables, ``benchmarks.md``, and the plots into a folder; gives the files written.

    Raises
    ------
    InputError
        where the folder cannot be written
    AbsentError
        where there is no matplotlib; the page is written before
    """
    page = folder / "benchmarks.md"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        page.write_text(_PAGE, encoding="utf-8")
    except OSError as error:
        raise InputError(f"{folder}: {error.strerror or error}") from None
    write_between(page, run)
    return [page, *draw(run, folder)]


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the report that the arguments ask for; 0, or 2 where that cannot be done."""
    parser = argparse.ArgumentParser(
        prog="python -m tenantrank.bench.report", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("results", type=Path)
    parser.add_argument("--into", type=Path, help="a document with the markers")
    parser.add_argument("--plots", type=Path, help="a folder for SVG files")
    given = parser.parse_args(arguments)
    if given.into is None and given.plots is None:
        parser.error("nothing to write: give --into, --plots or both")
    try:
        run = read_run(given.results)
        if given.into is not None:
            write_between(given.into, run)
        if given.plots is not None:
            draw(run, given.plots)
    except TenantrankError as error:
        print(error, file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
