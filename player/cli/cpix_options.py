"""Options that several commands of `keystorm cpix` share: who may open, who signs, and the files they are read from."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from player.backend.cpix import names
from player.backend.cpix.seal import Recipient
from player.cli import secrets
from player.crypto import certificate as x509
from player.crypto import rsa
from player.crypto.certificate import Certificate
from player.crypto.rsa import PrivateKey
from player.ids import COMMON_SYSTEM, KeyId, SystemId

T = TypeVar("T")

WHOLE: Final = "document"  # where else a list is named


def add_input(parser: ArgumentParser) -> None:
    parser.add_argument("input", metavar="FILE", type=Path, help="a CPIX document")


def add_output(parser: ArgumentParser) -> None:
    parser.add_argument("--output", metavar="FILE", type=Path, required=True, help="only you can read it")


def add_recipients(parser: ArgumentParser) -> None:
    told = "who may open it: a certificate; with =KID,KID… these keys alone"
    parser.add_argument("--recipient", metavar="FILE[=KID,…]", type=recipient, action="append", default=[], help=told)
    parser.add_argument("--speke", action="store_true", help="take RSA keys of 2048 bits, as SPEKE does")


def add_signer(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--sign-key", metavar="FILE", type=private_key, help="the key of the signer")
    add("--sign-certificate", metavar="FILE", type=certificate, help="and the certificate of that key")
    choices = (*names.LISTS, WHOLE)
    add("--sign", metavar="LIST", choices=choices, action="append", help=f"what to sign (default: {choices[1]})")


def private_key(text: str) -> PrivateKey:
    return _from_file(text, rsa.read_private_key)


def certificate(text: str) -> Certificate:
    return _from_file(text, x509.read)


def recipient(text: str) -> Recipient:
    path, equals, kids = text.partition("=")
    try:
        own = frozenset(map(KeyId.parse, kids.split(","))) if equals else None
    except ValueError as error:
        raise ArgumentTypeError(f"{path}: after =: {error}") from None
    return Recipient(certificate=certificate(path), kids=own, name=Path(path).stem)


def system_id(text: str) -> SystemId:
    try:
        return COMMON_SYSTEM if text == "common" else SystemId.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(f"{text}: {error}") from None


def _from_file(text: str, read_bytes: Callable[[bytes], T]) -> T:
    path = Path(text.removeprefix("@"))
    try:
        return read_bytes(secrets.read_bytes(path))
    except ValueError as error:
        raise ArgumentTypeError(f"{path}: {error}") from None
