"""A BackendSpec as JSON, on its way to a backend that runs as a child."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from player.backend.spec import BackendSpec
from player.errors import UsageError
from player.ids import KeyId


def spec_to_json(spec: BackendSpec) -> str:
    """One line. KIDs in their printed form; a seed of any size stays exact."""
    return json.dumps(msgspec.to_builtins(spec, enc_hook=_encode), separators=(",", ":"))


def spec_from_json(text: str | bytes) -> BackendSpec:
    """Raises: UsageError for what is no BackendSpec."""
    try:
        return msgspec.convert(json.loads(text), BackendSpec, dec_hook=_decode)
    except RecursionError:
        raise UsageError("backend specification: nested too deeply") from None
    except ValueError as error:  # msgspec's and json's errors are ValueErrors
        raise UsageError(f"backend specification: {error}") from None


def _encode(value: Any) -> str:
    if isinstance(value, KeyId):
        return str(value)
    raise NotImplementedError(f"no JSON for {type(value).__name__}")


def _decode(kind: type, value: Any) -> KeyId:
    if kind is KeyId and isinstance(value, str):
        return KeyId.parse(value)
    raise NotImplementedError(f"no {kind.__name__} from JSON")
