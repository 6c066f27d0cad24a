"""One self-contained HTML page: templates, style and script in a single file that asks nobody for anything.

Everything that comes from data is escaped: by the templates (autoescape), and in the data block
by writing ``<``, ``>`` and ``&`` as JSON escapes. Should something slip through all the same, the
page's content security policy lets no script run but its own, known by its hash, and lets nothing
be loaded.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from referee.verifiers.errors import UserMistake


class NothingToShow(UserMistake, ValueError):
    """There is nothing that a report could be about."""


def render(template: str, *, title: str, data: Any = None, script: str = "", **context: Any) -> str:
    """Return the page that ``template`` (a file beside this one, extending ``base.html.j2``) describes.

    ``data`` is JSON for the page's script, which is the file named ``script`` beside this one.
    """
    code = _asset(script) if script else ""
    return (
        _environment()
        .get_template(template)
        .render(
            title=title,
            style=Markup(_asset("page.css")),  # noqa: S704  # ours
            code=Markup(code),  # noqa: S704  # ours
            code_hash=_sha256(code),
            data=json_block(data),
            **context,
        )
    )


def json_block(data: Any) -> Markup:
    r"""Return JSON that is safe inside a script element, whatever texts it holds.

    >>> json_block("</script>")
    Markup('"\\u003c/script\\u003e"')
    """
    text = json.dumps(_finite(data), separators=(",", ":"))
    for character, escape in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(character, escape)
    return Markup(text)  # noqa: S704  # no character is left that could end the element


def number(value: float | None, places: int = 3) -> str:
    """Return a number as people read it; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    return f"{value:.{places}f}"


def share(value: float | None) -> str:
    """Return a share as a percentage."""
    return "–" if value is None or not math.isfinite(value) else f"{100 * value:.1f} %"


def duration(seconds: float) -> str:
    """Return a time with the unit that suits it."""
    if seconds < 0.001:
        return f"{1e6 * seconds:.0f} µs"
    return f"{1e3 * seconds:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("referee.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(number=number, share=share, duration=duration)
    return environment


def _asset(name: str) -> str:
    return resources.files("referee.report").joinpath(name).read_text(encoding="utf-8")


def _sha256(code: str) -> str:
    return base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()


def _finite(value: Any) -> Any:
    """JSON has no infinities and no nan: they become null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {k: _finite(v) for k, v in value.items()}
    return [_finite(v) for v in value] if isinstance(value, list | tuple) else value
