"""URL templates of SegmentTemplate (ISO/IEC 23009-1, 5.3.9.4.4 and 5.3.9.7).

A template is compiled once for a Representation; a URL then costs one `str.format`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin

MAX_WIDTH: Final = 32  # a wider field serves nobody and would fill the memory

_IDENTIFIER: Final = re.compile(r"\$(?:([A-Za-z]+)(?:%0(\d{1,3})d)?)?\$", re.ASCII)
_FIELDS: Final = {"Number": 0, "Time": 1, "SubNumber": 2}


@dataclass(frozen=True, slots=True)
class Template:
    """An absolute URL with number and time left open. `partial`: it tells the parts of a segment sequence apart."""

    form: str  # of str.format: {0} is the number, {1} the time, {2} the part, from 0
    partial: bool = False

    def url(self, number: int = 0, time: int = 0, part: int = 0) -> str:
        return self.form.format(number, time, part)


def compile_template(text: str, base_url: str, representation_id: str, bandwidth: int) -> Template:
    """The template resolved against a base URL, all but `$Number$`, `$Time$` and `$SubNumber$` filled in.

    Raises: ValueError (unknown identifier, single "$", width beyond 32, no URL)
    """
    fixed: dict[str, str | int] = {"RepresentationID": representation_id, "Bandwidth": bandwidth}
    form, end, partial = [], 0, False
    for match in _IDENTIFIER.finditer(text):
        partial = partial or match[1] == "SubNumber"
        form += [_literal(text[end : match.start()]), _filled(match, fixed)]
        end = match.end()
    form.append(_literal(text[end:]))
    return Template(urljoin(_braced(base_url), "".join(form)), partial)


def _filled(match: re.Match[str], fixed: dict[str, str | int]) -> str:
    name, width = match[1], int(match[2] or 1)
    if name is None:
        return "$"
    if width > MAX_WIDTH:
        raise ValueError(f"width {width} in {match[0]!r}, more than {MAX_WIDTH}")
    if name in _FIELDS:
        return f"{{{_FIELDS[name]}:0{width}d}}"
    if name not in fixed:
        raise ValueError(f"unknown identifier {match[0][:40]!r} in a template")
    value = fixed[name]
    return _braced(value) if isinstance(value, str) else f"{value:0{width}d}"  # a string has no width


def _literal(text: str) -> str:
    if "$" in text:
        raise ValueError("a template with a single '$'")
    return _braced(text)


def _braced(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
