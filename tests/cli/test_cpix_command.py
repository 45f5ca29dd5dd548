"""`keystorm cpix`: over real files, and never with a key in what is printed."""

from __future__ import annotations

import json
import re
import stat
from pathlib import Path

import pytest

from player.backend.cpix.open import open_document
from player.backend.cpix.read import read
from player.cli.main import main
from tests.cpix import authorities
from tests.cpix.authorities import KEYS, KIDS, private_key
from tests.cpix.schemas import complaints

NAMES = ("packager", "other", "third", "key server")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys, certificates and private keys in files; the folder is where the command runs."""
    pairs = zip(KIDS, KEYS, strict=True)
    (tmp_path / "keys.txt").write_text("# two\n" + "\n".join(f"{k}:{v.reveal().hex()}" for k, v in list(pairs)[:2]))
    for name in NAMES:
        (tmp_path / f"{name}.pem").write_bytes(authorities.certificate_pem(name))
        (tmp_path / f"{name}.key").write_bytes(authorities.private_pem(name))
    (tmp_path / "expired.pem").write_bytes(authorities.certificate_pem("expired", days=10))
    (tmp_path / "small.pem").write_bytes(authorities.certificate_pem("small", bits=2048))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def make(*options: str, output: str = "made.xml") -> int:
    return main(["cpix", "make", "--key", "@keys.txt", *options, "--output", output])


def sealed(*options: str) -> int:
    return make("--recipient", "packager.pem", *options)


SIGNER = ("--sign-key", "--sign-certificate", "--sign")
CONTENT = ("--scheme", "--content-id", "--system", "--period", "--rule")
SIGNED = ("--sign-key", "key server.key", "--sign-certificate", "key server.pem")


@pytest.mark.rule("backend:K4")
def test_what_is_made_opens_for_its_recipient_and_passes_the_schema(folder: Path) -> None:
    assert sealed("--recipient", "other.pem") == 0
    data = (folder / "made.xml").read_bytes()
    assert complaints(data) == []
    for name in ("packager", "other"):
        opened = open_document(read(data).document, private_key(name))
        assert opened.keys == dict(zip(KIDS, KEYS[:2], strict=False))
    assert stat.S_IMODE((folder / "made.xml").stat().st_mode) == 0o600


def test_rules_periods_systems_and_a_scheme_are_written(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rule = f"{KIDS[0]}=video,maxPixels=921600,hdr=false+label=SD+period=p1"
    periods = ("--period", "p1=2026-01-01T00:00:00Z/PT8S", "--period", "p2=#7", "--period", "p3=PT0S/PT8S")
    more = ("--rule", rule, "--rule", f"{KIDS[1]}=audio+bitrate,minBitrate=1", "--system", "common")
    assert sealed(*more, *periods, "--period", "p4=event", "--scheme", "cbcs", "--content-id", "c1") == 0
    assert main(["cpix", "show", "made.xml"]) == 0
    out = capsys.readouterr().out
    assert "CPIX 2.4, content c1" in out
    assert f"rule      {KIDS[0]} for period p1 and label SD and video max_pixels=921600 hdr=False" in out
    assert "period    p1 2026-01-01T00:00:00Z to 2026-01-01T00:00:08Z" in out
    assert "period    p2 index 7" in out
    assert "system    1077efec-c0b2-4d02-ace3-3c1e52e2fb4b" in out
    assert f"key       {KIDS[0]} encrypted, cbcs" in out


@pytest.mark.rule("backend:K4")
def test_show_says_which_keys_a_private_key_opens(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealed("--recipient", f"other.pem={KIDS[1]}") == 0
    capsys.readouterr()
    assert main(["cpix", "show", "made.xml", "--json", "--private-key", "@other.key"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert [(key["kid"], key["opens"]) for key in shown["keys"]] == [(str(KIDS[0]), False), (str(KIDS[1]), True)]
    assert [each["subject"] for each in shown["recipients"]] == ["CN=packager", "CN=other"]
    assert main(["cpix", "show", "made.xml", "--private-key", "third.key"]) == 1
    assert "no-delivery-data" in capsys.readouterr().err


@pytest.mark.rule("backend:K5")
def test_verify_wants_trust_and_what_is_expected(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealed(*SIGNED, "--sign", "ContentKeyList", "--sign", "document") == 0
    check = ["cpix", "verify", "made.xml"]
    trust = ["--trust", "key server.pem"]
    assert main([*check, *trust, "--expect", "ContentKeyList", "--private-key", "packager.key"]) == 0
    out = capsys.readouterr().out
    assert "signed    ContentKeyList, by CN=key server" in out
    assert "signed    CPIX, by CN=key server" in out
    assert "opens     2 of 2 keys" in out
    assert main(check) == 1
    assert main([*check, "--trust", "third.pem"]) == 1
    assert "untrusted-signature" in capsys.readouterr().err
    sealed()
    assert main([*check, *trust, "--expect", "ContentKeyList"]) == 1
    assert "missing-signature" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        (str(KIDS[0]), str(KIDS[5]), "bad-signature"),
        ("<pskc:ValueMAC>", "<pskc:ValueMAC>AAAA", "bad-signature"),
        ("<ds:DigestValue>", "<ds:DigestValue>AAAA", "bad-signature"),
        ("<ContentKeyList", "<Wrong/><ContentKeyList", "schema"),
    ],
)
def test_verify_refuses_what_was_changed(
    folder: Path, capsys: pytest.CaptureFixture[str], old: str, new: str, code: str
) -> None:
    assert sealed(*SIGNED) == 0
    data = (folder / "made.xml").read_text()
    assert old in data
    (folder / "made.xml").write_text(data.replace(old, new, 1))
    assert main(["cpix", "verify", "made.xml", "--trust", "key server.pem"]) == 1
    assert f"keystorm: {code}: made.xml: /CPIX" in capsys.readouterr().err


def test_verify_refuses_a_wrong_mac_without_signatures(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealed() == 0
    data = (folder / "made.xml").read_bytes()
    start = data.index(b"<ContentKeyList>")
    at = data.index(b"<xenc:CipherValue>", start) + 20
    (folder / "made.xml").write_bytes(data[:at] + (b"B" if data[at : at + 1] == b"A" else b"A") + data[at + 1 :])
    assert main(["cpix", "verify", "made.xml", "--private-key", "packager.key"]) == 1
    assert "wrong-mac" in capsys.readouterr().err


@pytest.mark.rule("backend:K4")
def test_keys_are_passed_on_and_signatures_of_the_old_ones_go(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert sealed(*SIGNED) == 0
    capsys.readouterr()
    again = ["cpix", "reencrypt", "made.xml", "--recipient", "other.pem", "--output"]
    assert main([*again, "new.xml", "--private-key", "packager.key"]) == 0
    assert capsys.readouterr().out == "new.xml: 2 keys for 1 recipient, 1 signature of the old keys left out\n"
    opened = open_document(read((folder / "new.xml").read_bytes()).document, private_key("other"))
    assert opened.keys == dict(zip(KIDS, KEYS[:2], strict=False))
    assert main([*again, "made.xml", "--private-key", "packager.key"]) == 0  # in place
    assert main(["cpix", "verify", "made.xml", "--private-key", "other.key"]) == 0
    assert main([*again, "none.xml", "--private-key", "third.key"]) == 1
    assert main([*again, "none.xml"]) == 1
    assert not (folder / "none.xml").exists()


def test_clear_keys_are_written_only_where_one_says_so(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert make() == 2
    assert make("--clear", "--recipient", "packager.pem") == 2
    assert not (folder / "made.xml").exists()
    assert make("--clear") == 0
    capsys.readouterr()
    assert main(["cpix", "show", "made.xml"]) == 0
    out = capsys.readouterr().out
    assert "in the clear" in out
    assert KEYS[0].reveal().hex() not in out


@pytest.mark.parametrize(
    ("options", "exits", "told"),
    [
        (("--recipient", "expired.pem"), 1, "no longer valid"),
        (("--recipient", "small.pem"), 1, "2048 bits"),
        (("--recipient", "small.pem", "--speke"), 0, ""),
        (("--recipient", "keys.txt"), 2, "no X.509 certificate"),
        (("--recipient", "none.pem"), 2, "No such file"),
        (("--recipient", "packager.pem=zz"), 2, "32 hex digits"),
        (("--clear", "--rule", "zz"), 2, "expected KID=FILTERS"),
        (("--clear", "--rule", f"{KIDS[0]}=smell"), 2, "no filter 'smell'"),
        (("--clear", "--rule", f"{KIDS[0]}=video,maxSmell=1"), 2, "no bound 'maxSmell'"),
        (("--clear", "--rule", f"{KIDS[0]}=video,maxPixels=x"), 2, "no whole number"),
        (("--clear", "--rule", f"{KIDS[5]}=video"), 1, "which is not in the document"),
        (("--clear", "--key", f"{KIDS[0]}:{'00' * 16}"), 1, "is there twice"),
        (("--clear", "--period", "p1"), 2, "expected ID=WHEN"),
        (("--clear", "--period", "1=#1"), 2, "can be an id"),
        (("--clear", "--period", "p1=2026-01-02T00:00:00Z/2026-01-01T00:00:00Z"), 1, "ends before it starts"),
        (("--clear", "--system", "x"), 2, "32 hex digits"),
        (("--clear", "--sign", "ContentKeyList"), 2, "--sign needs --sign-key"),
        (("--clear", "--sign-key", "packager.key"), 2, "go together"),
        (("--clear", "--sign-key", "keys.txt", "--sign-certificate", "packager.pem"), 2, "no private key"),
        (("--clear", "--sign-key", "other.key", "--sign-certificate", "packager.pem"), 1, "not that of the key"),
        (("--clear", *SIGNED, "--sign", "DRMSystemList"), 1, "no such list"),
    ],
)
def test_one_line_says_what_is_wrong_with_what_was_asked(
    folder: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], exits: int, told: str
) -> None:
    assert make(*options) == exits
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == bool(exits)
    assert KEYS[0].reveal().hex() not in error


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "bad-xml"),
        (b"no XML", "bad-xml"),
        (b"<CPIX/>", "not-cpix"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><x b="&a;"/>', "doctype"),
        (b" " * 8_000_001, "too-large"),
    ],
)
@pytest.mark.parametrize("command", ["show", "verify"])
def test_what_cannot_be_read_ends_with_2(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str, data: bytes, code: str
) -> None:
    (folder / "bad.xml").write_bytes(data)
    assert main(["cpix", command, "bad.xml"]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"keystorm: {code}: bad.xml: ")
    assert error.count("\n") == 1


def test_a_document_with_faults_is_shown_with_them(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "odd.xml").write_text(
        f'<CPIX xmlns="urn:dashif:org:cpix"><ContentKeyList><ContentKey kid="{KIDS[0]}" '
        'commonEncryptionScheme="cenx"/></ContentKeyList></CPIX>'
    )
    assert main(["cpix", "show", "odd.xml"]) == 1
    out = capsys.readouterr().out
    assert "fault     /CPIX: without @version (version)" in out
    assert "fault     /CPIX/ContentKeyList/ContentKey: no scheme of Common Encryption (bad-scheme)" in out
    assert main(["cpix", "verify", "odd.xml"]) == 1
    assert main(["cpix", "verify", "odd.xml", "--lenient"]) == 0
    assert "warning   /CPIX: without @version (version)" in capsys.readouterr().out


def test_files_and_commands_that_are_not_there_are_wrong_usage(folder: Path) -> None:
    assert main(["cpix"]) == 2
    assert main(["cpix", "eat"]) == 2
    assert main(["cpix", "show"]) == 2
    assert main(["cpix", "show", "none.xml"]) == 2
    assert main(["cpix", "show", "."]) == 2
    assert main(["cpix", "show", "a\0b"]) == 2
    assert make("--clear", output="none/made.xml") == 2


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("show", {"--private-key", "--json"}),
        ("verify", {"--lenient", "--trust", "--expect", "--private-key"}),
        ("reencrypt", {"--private-key", "--lenient", "--recipient", "--speke", *SIGNER, "--output"}),
        ("make", {"--key", *CONTENT, "--clear", "--recipient", "--speke", *SIGNER, "--output"}),
    ],
)
def test_help_lists_what_each_command_takes(
    capsys: pytest.CaptureFixture[str], command: str, options: set[str]
) -> None:
    assert main(["cpix", command, "--help"]) == 0
    told = capsys.readouterr().out
    assert set(re.findall(r"^  (?:-h, )?(--[a-z-]+)", told, re.MULTILINE)) == options | {"--help"}
