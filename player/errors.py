"""Everything that can go wrong, in one tree. An error has a stable `code`, fields rather than prose, and one line.

    KeystormError
    ├── UsageError       wrong option, unreadable input: exit 2
    ├── EmeError         the caller broke a rule of EME (`eme.errors` names them: InvalidStateError, TypeError, …)
    ├── NetworkError     unreachable, timed out, or answered with another status than hoped
    ├── ManifestError    an MPD that cannot be used, with its XPath
    ├── MediaError       broken media, with box path and byte offset
    ├── LicenseError     a license or license request that cannot be read, or a key that cannot be had
    ├── ScenarioError    a scenario or profile that means nothing, with file and `$.path`
    ├── CpixError        a CPIX document that cannot be used, with the path of the element
    └── BackendError     a service of the embedded backend that cannot start or cannot serve

No error ever holds a key, a token or a private key.
"""

from __future__ import annotations


class KeystormError(Exception):
    """`code` is kebab-case and stable; `recoverable` says whether playback may go on without what failed."""

    def __init__(self, code: str, message: str, *, recoverable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.recoverable = recoverable

    def __str__(self) -> str:
        return self.message


class UsageError(KeystormError):
    """Wrong usage or unreadable input. The command ends with 2."""

    def __init__(self, message: str, *, code: str = "usage") -> None:
        super().__init__(code, message)


class EmeError(KeystormError):
    """The caller broke a rule of EME; `name` is the DOM exception's name (EME 6.7)."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(_kebab(name), message, recoverable=True)
        self.name = name


class NetworkError(KeystormError):
    """A fetch that brought nothing usable. `status` is the HTTP status, None where none came."""

    def __init__(
        self, code: str, url: str, reason: str, *, status: int | None = None, recoverable: bool = False
    ) -> None:
        super().__init__(code, f"{url}: {reason}", recoverable=recoverable)
        self.url = url
        self.reason = reason
        self.status = status


class ManifestError(KeystormError):
    """An MPD that cannot be used; `path` is an XPath such as `/MPD/Period[2]/AdaptationSet[1]`."""

    def __init__(self, code: str, path: str, reason: str) -> None:
        super().__init__(code, f"{path}: {reason}")
        self.path = path
        self.reason = reason


class MediaError(KeystormError):
    """Broken media: `moof/traf[1]/senc @ 1412: 3 subsamples promised, 2 present (23001-7, 7.2)`.

    `path` is a box path, `offset` the byte in the resource it was read from, `source` the clause broken or "".
    """

    def __init__(self, code: str, path: str, offset: int, reason: str, source: str = "") -> None:
        super().__init__(code, f"{path} @ {offset}: {reason}" + (f" ({source})" if source else ""))
        self.path = path
        self.offset = offset
        self.reason = reason
        self.source = source


class LicenseError(KeystormError):
    """A license, a license request or init data that cannot be read, or a key that cannot be had."""


class ScenarioError(KeystormError):
    """A scenario or profile that means nothing: `demo.toml $.content.scheme: …`."""

    def __init__(self, file: str, path: str, reason: str, *, code: str = "bad-scenario") -> None:
        super().__init__(code, f"{file} {path}: {reason}")
        self.file = file
        self.path = path
        self.reason = reason


class CpixError(KeystormError):
    """A CPIX document that cannot be used; `path` is as `/CPIX/ContentKeyList/ContentKey[2]`."""

    def __init__(self, code: str, path: str, reason: str) -> None:
        super().__init__(code, f"{path}: {reason}")
        self.path = path
        self.reason = reason


class BackendError(KeystormError):
    """A service of the embedded backend that cannot start or cannot serve."""


def _kebab(name: str) -> str:
    return "".join("-" + c.lower() if c.isupper() and i else c.lower() for i, c in enumerate(name))
