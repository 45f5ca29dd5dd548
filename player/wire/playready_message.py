"""The message of a PlayReady CDM on Windows: UTF-16 XML with the body for the server, and headers to send it with.

Read without an XML parser: a message has one body and a few headers, and whatever else it holds is not looked at.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final, NamedTuple
from xml.sax.saxutils import escape, unescape

MAX_MESSAGE_BYTES: Final = 256 * 1024  # choice: far above any challenge
MAX_HEADERS: Final = 16  # choice; devices give two

Headers = tuple[tuple[str, str], ...]

HEADERS: Final[Headers] = (
    ("Content-Type", "application/json"),
    ("SOAPAction", '"http://schemas.microsoft.com/DRM/2007/03/protocols/AcquireLicense"'),
)
"""Those that devices give, with the type of the bodies of this lab."""

_CHALLENGE: Final = re.compile(r'<Challenge encoding="base64encoded">([A-Za-z0-9+/=\s]*)</Challenge>')
_HEADER: Final = re.compile(
    r"<HttpHeader>\s*<name>([^<]{1,100})</name>\s*<value>([^<]{0,1000})</value>\s*</HttpHeader>"
)
_MARK: Final = "<PlayReadyKeyMessage".encode("utf-16-le")
_TOKEN: Final = re.compile(r"[A-Za-z0-9-]+")


class Message(NamedTuple):
    """What is to be posted."""

    body: bytes
    headers: Headers


def write(body: bytes, headers: Headers) -> bytes:
    told = "".join(
        f"<HttpHeader><name>{escape(name)}</name><value>{escape(value)}</value></HttpHeader>" for name, value in headers
    )
    challenge = f'<Challenge encoding="base64encoded">{base64.b64encode(body).decode("ascii")}</Challenge>'
    text = (
        '<PlayReadyKeyMessage type="LicenseAcquisition"><LicenseAcquisition Version="1">'
        f"{challenge}<HttpHeaders>{told}</HttpHeaders></LicenseAcquisition></PlayReadyKeyMessage>"
    )
    return text.encode("utf-16-le")


def read(data: bytes) -> Message | None:
    """None: this is no such message, and goes to the server as it is."""
    if len(data) > MAX_MESSAGE_BYTES or len(data) % 2 or _MARK not in data:
        return None
    try:
        text = data.decode("utf-16").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return None
    found = _CHALLENGE.search(text)
    if found is None:
        return None
    try:
        body = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error:
        return None
    pairs = [(it[1].strip(), unescape(it[2]).strip()) for it in _HEADER.finditer(text)][:MAX_HEADERS]
    headers = tuple((name, value) for name, value in pairs if _TOKEN.fullmatch(name) and value.isprintable())
    return Message(body, headers)
