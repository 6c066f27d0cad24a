"""``referee report``: one HTML page about a scored file, or about a training run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console

from referee.commands.inputs import BadInput, opening
from referee.report.runs import runs_report
from referee.report.scored import SAMPLE, scored_report
from referee.report.training import training_report


def report(
    source: Path,
    /,
    *others: Path,
    out: Annotated[Path | None, Parameter(name=["--out", "-o"])] = None,
    sample: int = SAMPLE,
    title: str = "",
) -> int:
    """Write one self-contained HTML page about a scored file, a training run, or several runs.

    Args:
        source: What `referee score` wrote, or the folder that `referee train` wrote.
        others: Folders of more runs, to be set beside the first on one page.
        out: Where the page goes; by default beside the file, in the run's folder, or runs.html.
        sample: How many completions of a scored file can be browsed in the page.
        title: The page's title.
    """
    if sample < 1:
        raise BadInput(f"--sample must be at least 1, got {sample}")
    if others:
        return _compared([source, *others], out, title)
    page_file = out or (source / "report.html" if source.is_dir() else source.with_suffix(".html"))
    if page_file.resolve() == source.resolve():
        raise BadInput(f"--out must be another file than the source, got {page_file}")
    with opening("source", source):
        if source.is_dir():
            page = training_report(source, title=title)
        else:
            page = scored_report(source, sample=sample, title=title)
    with opening("--out", page_file):
        _write(page, page_file)
    return 0


def _compared(folders: list[Path], out: Path | None, title: str) -> int:
    for folder in folders:
        with opening("source", folder):
            if not folder.is_dir():
                raise BadInput(f"source must be folders of runs where there are several, got {folder}")
    page_file = out or Path("runs.html")
    with opening("--out", page_file):
        _write(runs_report(folders, title=title), page_file)
    return 0


def _write(page: str, page_file: Path) -> None:
    page_file.parent.mkdir(parents=True, exist_ok=True)
    page_file.write_text(page, encoding="utf-8", errors="backslashreplace")
    Console(stderr=True, highlight=False).print(f"wrote {page_file}", markup=False, soft_wrap=True)
