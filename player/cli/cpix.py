"""`keystorm cpix`: show, make, re-encrypt and verify CPIX documents. No key is ever printed."""

from __future__ import annotations

import json
import os
import secrets as chance
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from player.backend.cpix import names, xmlio
from player.backend.cpix.faults import Fault
from player.backend.cpix.model import Document, DrmSystem, KeyEntry, Period, UsageRule
from player.backend.cpix.open import open_document
from player.backend.cpix.read import Profile, Read, read
from player.backend.cpix.reseal import reseal
from player.backend.cpix.seal import MIN_RSA_BITS, MIN_RSA_BITS_SPEKE, seal
from player.backend.cpix.sign import sign_document, sign_list
from player.backend.cpix.verify import Signed, verify
from player.backend.cpix.write import write
from player.cli import cpix_options, cpix_page, cpix_rules, secrets
from player.cli.main import DONE, FAILED, WRONG_USAGE, complain
from player.cli.outputs import check_writable
from player.errors import CpixError, UsageError
from player.ids import KeyId, SystemId
from player.isobmff import pssh
from player.isobmff.sample import Scheme

UNREADABLE: Final = frozenset({"bad-encoding", "bad-value", "bad-xml", "doctype", "not-cpix", "too-large"})
"""Codes that say: nothing can be read here. Others say that what was read does not hold."""


def arguments(parser: ArgumentParser) -> None:
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for name, (tells, add_arguments, _) in _COMMANDS.items():
        command = commands.add_parser(name, help=tells, description=f"{tells[0].upper()}{tells[1:]}.")
        add_arguments(command)


def run(options: Namespace) -> int:
    _, _, command = _COMMANDS[options.command]
    try:
        return command(options)
    except CpixError as error:
        place = f"{options.input}: " if "input" in options else ""
        return complain(error.code, f"{place}{error}", WRONG_USAGE if error.code in UNREADABLE else FAILED)


# ── show and verify ──────────────────────────────────────────────────────────────────────────────────────────────────


def _show_arguments(parser: ArgumentParser) -> None:
    cpix_options.add_input(parser)
    parser.add_argument(
        "--private-key", metavar="FILE", type=cpix_options.private_key, help="say which keys this recipient opens"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def _show(options: Namespace) -> int:
    """Leniently: a document with faults is shown with them."""
    found = read(_bytes(options.input), Profile.LENIENT)
    opened = None
    if options.private_key is not None:
        opened = tuple(open_document(found.document, options.private_key, need_mac=False).keys)
    page = cpix_page.page(found, _now_us(), opened)
    print(json.dumps(page, ensure_ascii=False) if options.json else cpix_page.told(page))
    return FAILED if found.warnings else DONE


def _verify_arguments(parser: ArgumentParser) -> None:
    cpix_options.add_input(parser)
    parser.add_argument("--lenient", action="store_true", help="take what vendors write, and tell its faults")
    parser.add_argument(
        "--trust",
        metavar="FILE",
        type=cpix_options.certificate,
        action="append",
        default=[],
        help="a certificate that may sign",
    )
    choices = (*names.LISTS, cpix_options.WHOLE)
    parser.add_argument(
        "--expect", metavar="LIST", choices=choices, action="append", default=[],
        help=f"what must be signed: {', '.join(choices)}",
    )  # fmt: skip
    parser.add_argument(
        "--private-key", metavar="FILE", type=cpix_options.private_key, help="open it too: MACs and keys"
    )


def _verify(options: Namespace) -> int:
    found = read(_bytes(options.input), Profile.LENIENT if options.lenient else Profile.STRICT)
    expected = ["CPIX" if each == cpix_options.WHOLE else each for each in options.expect]
    signed = verify(found.root, options.trust, now_us=_now_us(), expected=expected)
    warnings = list(found.warnings)
    lines = [f"{options.input}: {_counts(found.document)}", *map(_told_signed, signed)]
    if options.private_key is not None:
        opened = open_document(found.document, options.private_key, need_mac=not options.lenient)
        lines.append(f"opens     {len(opened.keys)} of {len(found.document.keys)} keys")
        warnings += opened.warnings
    print("\n".join([*lines, *map(_told_fault, warnings)]))
    return DONE


def _counts(document: Document) -> str:
    counts = {"key": len(document.keys), "recipient": len(document.delivery), "rule": len(document.rules)}
    return ", ".join(_many(count, what) for what, count in counts.items())


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _told_signed(signed: Signed) -> str:
    return f"signed    {signed.covers}, by {signed.certificate.subject}"


def _told_fault(fault: Fault) -> str:
    return f"warning   {fault}"


# ── make ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _make_arguments(parser: ArgumentParser) -> None:
    add = parser.add_argument
    key = "a key in hex, or @FILE with one a line"
    add("--key", metavar="KID:KEY", type=secrets.keys, action="append", required=True, help=key)
    add("--scheme", choices=list(Scheme), help="of Common Encryption, for every key")
    add("--content-id", metavar="ID", help="of the whole document")
    add(
        "--system",
        metavar="NAME",
        type=cpix_options.system_id,
        action="append",
        default=[],
        help="common, or a SystemID: its pssh",
    )
    add("--period", metavar="ID=WHEN", type=cpix_rules.period, action="append", default=[], help=cpix_rules.PERIOD_HELP)
    add("--rule", metavar="KID=FILTERS", type=cpix_rules.rule, action="append", default=[], help=cpix_rules.RULE_HELP)
    add("--clear", action="store_true", help="write the keys as they are, for nobody in particular")
    cpix_options.add_recipients(parser)
    cpix_options.add_signer(parser)
    cpix_options.add_output(parser)


def _make(options: Namespace) -> int:
    if options.clear == bool(options.recipient):
        raise UsageError("either --recipient, or --clear for keys that anybody can read")
    check_writable(options.output)
    document = _document(options)
    if not options.clear:
        bits = MIN_RSA_BITS_SPEKE if options.speke else MIN_RSA_BITS
        document = seal(document, options.recipient, chance.token_bytes, now_us=_now_us(), min_bits=bits)
    found = read(write(document))
    _signed(found, options)
    _write(options.output, xmlio.serialise(found.root))
    print(f"{options.output}: {_counts(found.document)}")
    return DONE


def _document(options: Namespace) -> Document:
    pairs = dict.fromkeys(pair for pairs in options.key for pair in pairs)
    keys = tuple(KeyEntry(kid=kid, value=key, scheme=options.scheme) for kid, key in pairs)
    systems = tuple(_system(system, key.kid) for key in keys for system in options.system)
    periods: tuple[Period, ...] = tuple(options.period)
    rules: tuple[UsageRule, ...] = tuple(options.rule)
    return Document(keys=keys, systems=systems, periods=periods, rules=rules, content_id=options.content_id)


def _system(system: SystemId, kid: KeyId) -> DrmSystem:
    box = pssh.Pssh(version=1, system_id=system, key_ids=(kid,))
    return DrmSystem(system_id=system, kid=kid, pssh=pssh.write(box))


# ── reencrypt ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _reencrypt_arguments(parser: ArgumentParser) -> None:
    cpix_options.add_input(parser)
    parser.add_argument("--private-key", metavar="FILE", type=cpix_options.private_key, help="of one it is sealed for")
    parser.add_argument("--lenient", action="store_true", help="take what vendors write, keys without a MAC too")
    cpix_options.add_recipients(parser)
    cpix_options.add_signer(parser)
    cpix_options.add_output(parser)


def _reencrypt(options: Namespace) -> int:
    if not options.recipient:
        raise UsageError("--recipient: nobody to encrypt for")
    check_writable(options.output)
    found = read(_bytes(options.input), Profile.LENIENT if options.lenient else Profile.STRICT)
    opened = open_document(found.document, options.private_key, need_mac=not options.lenient)
    bits = MIN_RSA_BITS_SPEKE if options.speke else MIN_RSA_BITS
    gone = reseal(found, opened.keys, options.recipient, chance.token_bytes, now_us=_now_us(), min_bits=bits)
    _signed(found, options)
    _write(options.output, xmlio.serialise(found.root))
    made = f"{_many(len(opened.keys), 'key')} for {_many(len(options.recipient), 'recipient')}"
    print(f"{options.output}: {made}" + (f", {_many(gone, 'signature')} of the old keys left out" if gone else ""))
    return DONE


# ── in and out ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _signed(found: Read, options: Namespace) -> None:
    """Lists first: a signature over the document ends it."""
    if (options.sign_key is None) is not (options.sign_certificate is None):
        raise UsageError("--sign-key and --sign-certificate go together")
    if options.sign_key is None:
        if options.sign:
            raise UsageError("--sign needs --sign-key")
        return
    wanted: Sequence[str] = options.sign or (names.CONTENT_KEY_LIST,)
    for name in (each for each in wanted if each != cpix_options.WHOLE):
        sign_list(found.root, name, options.sign_key, options.sign_certificate)
    if cpix_options.WHOLE in wanted:
        sign_document(found.root, options.sign_key, options.sign_certificate)


def _bytes(path: Path) -> bytes:
    """As many as are read at most, and one more that tells of others."""
    try:
        with path.open("rb") as file:
            return file.read(xmlio.MAX_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except ValueError:  # a name that no file can have
        raise UsageError(f"{path}: no name of a file") from None


def _write(path: Path, data: bytes) -> None:
    """Beside it first: a file that is read and written at once is never half of either."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(data)
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    finally:
        beside.unlink(missing_ok=True)


def _now_us() -> int:
    return time.time_ns() // 1000


_COMMANDS: Final[Mapping[str, tuple[str, Callable[[ArgumentParser], None], Callable[[Namespace], int]]]] = {
    "show": ("show what a document says, and its faults", _show_arguments, _show),
    "make": ("make a document from keys, for named recipients", _make_arguments, _make),
    "reencrypt": ("encrypt the keys of a document for others", _reencrypt_arguments, _reencrypt),
    "verify": ("check grammar, rules, signatures and MACs of a document", _verify_arguments, _verify),
}
