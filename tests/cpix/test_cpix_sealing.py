"""Who a document is sealed for opens it, and nobody else; what was changed is refused before it is decrypted."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from player.backend.cpix import names
from player.backend.cpix import open as opening
from player.backend.cpix.model import Document, DocumentKey, KeyEntry, Sealed
from player.backend.cpix.open import open_document
from player.backend.cpix.read import read
from player.backend.cpix.seal import MIN_RSA_BITS_SPEKE, Recipient, seal
from player.backend.cpix.write import write
from player.crypto import certificate, mac, rsa
from player.errors import CpixError
from player.ids import KeyId
from tests.cpix.authorities import (
    BEGIN_US,
    DAY_US,
    KEYS,
    KIDS,
    NOW_US,
    certificate_of,
    chance,
    plain,
    private_key,
    private_pem,
    sealed_bytes,
    sealed_for,
)
from tests.crypto.certificates import self_signed

BOTH = dict(zip(KIDS, KEYS[:2], strict=False))


def refused(document: Document, name: str = "packager", **options: bool) -> str:
    with pytest.raises(CpixError) as caught:
        open_document(document, private_key(name), **options)
    return caught.value.code


def sealed_key(document: Document, number: int = 0) -> Sealed:
    value = document.keys[number].value
    assert isinstance(value, Sealed)
    return value


def with_key(document: Document, value: Sealed) -> Document:
    return replace(document, keys=(replace(document.keys[0], value=value), *document.keys[1:]))


def with_delivery(document: Document, **changes: object) -> Document:
    return replace(document, delivery=(replace(document.delivery[0], **changes),))  # type: ignore[arg-type] # any field


@pytest.mark.rule("backend:K4")
def test_each_recipient_opens_every_key() -> None:
    document = read(write(sealed_for("packager", "other"))).document
    assert open_document(document, private_key("packager")).keys == BOTH
    assert open_document(document, private_key("other")).keys == BOTH


@pytest.mark.rule("backend:K4")
def test_a_third_party_is_told_that_there_is_nothing_for_it() -> None:
    assert refused(sealed_for("packager", "other"), "third") == "no-delivery-data"
    with pytest.raises(CpixError, match="no delivery data"):
        open_document(sealed_for("packager"), None)


@pytest.mark.rule("backend:K4")
def test_with_subsets_each_opens_exactly_its_own() -> None:
    own = Recipient(certificate=certificate_of("other"), kids=frozenset(KIDS[1:3]))
    everything = Recipient(certificate=certificate_of("packager"))
    data = write(seal(plain(4), [everything, own], chance(), now_us=NOW_US))
    document = read(data).document
    assert document.version == "2.4"
    assert all(len(key.encrypts) == 1 for each in document.delivery for key in each.document_keys)
    assert dict(open_document(document, private_key("other")).keys) == {KIDS[1]: KEYS[1], KIDS[2]: KEYS[2]}
    assert set(open_document(document, private_key("packager")).keys) == set(KIDS[:4])


def test_a_list_of_kids_for_one_document_key_is_understood() -> None:
    document = sealed_for("packager")
    (key,) = document.delivery[0].document_keys
    both = with_delivery(document, document_keys=(replace(key, encrypts=KIDS[:2]),))
    one = with_delivery(document, document_keys=(replace(key, encrypts=KIDS[:1]),))
    assert open_document(both, private_key("packager")).keys == BOTH
    assert set(open_document(one, private_key("packager")).keys) == {KIDS[0]}


@pytest.mark.rule("backend:K4")
@pytest.mark.parametrize("member", ["cipher", "mac"])
@settings(max_examples=40, deadline=None)
@given(bit=st.integers(0, 48 * 8 - 1))
def test_a_flipped_bit_is_refused_before_anything_is_decrypted(member: str, bit: int) -> None:
    document = sealed_for_packager()
    value = sealed_key(document)
    changed = bytearray(value.cipher if member == "cipher" else value.mac or b"")
    changed[bit // 8] ^= 1 << bit % 8
    broken = with_key(document, replace(value, **{member: bytes(changed)}))  # type: ignore[arg-type] # cipher or mac
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(opening, "_opened", lambda *_: pytest.fail("decrypted"))
        assert refused(broken) == "wrong-mac"


def sealed_for_packager() -> Document:
    return read(sealed_bytes()).document


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_changed_byte_of_a_document_gives_another_key(data: st.DataObject) -> None:
    whole = bytearray(sealed_bytes())
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    try:
        keys = open_document(read(bytes(whole)).document, private_key("packager")).keys
    except CpixError:
        return
    assert set(keys.values()) <= set(KEYS)


def test_exchanged_kids_are_seen_where_each_key_has_its_own_document_key() -> None:
    own = Recipient(certificate=certificate_of("packager"), kids=frozenset(KIDS[:2]))
    document = seal(plain(), [own], chance(), now_us=NOW_US)
    one, two = document.keys
    swapped = replace(document, keys=(replace(one, value=two.value), replace(two, value=one.value)))
    assert refused(swapped) == "not-opened"


def test_a_missing_mac_is_refused_or_told() -> None:
    document = sealed_for_packager()
    without = with_key(document, replace(sealed_key(document), mac=None))
    assert refused(without) == "no-mac"
    opened = open_document(without, private_key("packager"), need_mac=False)
    assert opened.keys == BOTH
    assert [fault.code for fault in opened.warnings] == ["no-mac"]
    assert refused(with_delivery(document, mac_key=None)) == "no-mac"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("bad-algorithm", {"mac_algorithm": "http://www.w3.org/2001/04/xmldsig-more#hmac-md5"}),
        ("bad-algorithm", {"mac_key": Sealed(algorithm="http://x", cipher=bytes(384))}),
        ("not-opened", {"mac_key": Sealed(algorithm=names.RSA_OAEP, cipher=bytes(384))}),
        ("not-opened", {"mac_key": Sealed(algorithm=names.RSA_OAEP, cipher=b"")}),
        ("not-opened", {"document_keys": (DocumentKey(sealed=Sealed(algorithm=names.RSA_OAEP, cipher=b"x")),)}),
        ("no-delivery-data", {"certificate": None}),
        ("no-delivery-data", {"certificate": b"rubbish"}),
        ("too-large", {"document_keys": (DocumentKey(sealed=Sealed(algorithm=names.RSA_OAEP, cipher=b"x")),) * 1025}),
    ],
)
def test_delivery_data_that_does_not_open_is_refused(code: str, change: dict[str, object]) -> None:
    assert refused(with_delivery(sealed_for_packager(), **change)) == code


def test_one_kid_that_is_there_twice_is_refused() -> None:
    document = sealed_for_packager()
    assert refused(replace(document, keys=(*document.keys, document.keys[0]))) == "duplicate-key"


def test_a_document_key_of_another_size_is_refused() -> None:
    short = Sealed(algorithm=names.RSA_OAEP, cipher=rsa.encrypt(certificate_of("packager").public_key, bytes(16)))
    document = with_delivery(sealed_for_packager(), document_keys=(DocumentKey(sealed=short),))
    assert refused(document) == "bad-value"


def test_a_cipher_value_of_another_size_is_refused() -> None:
    document, mac_key = sealed_for_packager(), bytes(64)
    public_key = certificate_of("packager").public_key
    sealed_mac_key = Sealed(algorithm=names.RSA_OAEP, cipher=rsa.encrypt(public_key, mac_key))
    short = replace(sealed_key(document), cipher=bytes(32), mac=mac.hmac_sha512(mac_key, bytes(32)))
    one = replace(with_key(document, short), keys=(replace(document.keys[0], value=short),))
    assert refused(with_delivery(one, mac_key=sealed_mac_key)) == "bad-value"


def test_another_algorithm_for_a_key_is_refused() -> None:
    document = sealed_for_packager()
    other = replace(sealed_key(document), algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    assert refused(with_key(document, other)) == "bad-algorithm"


def test_what_is_sealed_has_the_sizes_and_algorithms_of_cpix() -> None:
    document = sealed_for_packager()
    value = sealed_key(document)
    assert (len(value.cipher), len(value.mac or b""), value.algorithm) == (48, 64, names.AES256_CBC)
    assert document.delivery[0].mac_algorithm == names.HMAC_SHA512
    assert len(private_key("packager").decrypt(document.delivery[0].mac_key.cipher)) == 64  # type: ignore[union-attr]


# ── recipients ───────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("now_us", [BEGIN_US - 1, BEGIN_US + 10 * DAY_US + 1])
def test_nothing_is_sealed_for_a_certificate_out_of_its_time(now_us: int) -> None:
    short = Recipient(certificate=certificate_of("short", days=10))
    with pytest.raises(CpixError) as caught:
        seal(plain(), [short], chance(), now_us=now_us)
    assert caught.value.code == "certificate-expired"


def test_a_short_key_is_for_speke_only() -> None:
    short = Recipient(certificate=certificate_of("small", bits=2048))
    with pytest.raises(CpixError, match="2048 bits"):
        seal(plain(), [short], chance(), now_us=NOW_US)
    document = seal(plain(), [short], chance(), now_us=NOW_US, min_bits=MIN_RSA_BITS_SPEKE)
    assert open_document(document, private_key("small", 2048)).keys == BOTH


def test_a_certificate_signed_with_sha_1_is_refused() -> None:
    weak = replace(certificate_of("packager"), digest="sha1")
    with pytest.raises(CpixError, match="sha1"):
        seal(plain(), [Recipient(certificate=weak)], chance(), now_us=NOW_US)


def test_a_key_that_is_no_rsa_key_is_refused() -> None:
    other = certificate.read(self_signed())
    with pytest.raises(CpixError, match="no RSA key"):
        seal(plain(), [Recipient(certificate=other)], chance(), now_us=NOW_US)


def test_sealing_needs_somebody_who_may_open_something() -> None:
    with pytest.raises(CpixError, match="nobody"):
        seal(plain(), [], chance(), now_us=NOW_US)
    with pytest.raises(CpixError, match="may open nothing"):
        seal(plain(), [Recipient(certificate=certificate_of("other"), kids=frozenset())], chance(), now_us=NOW_US)
    with pytest.raises(CpixError, match="already"):
        seal(sealed_for("packager"), [Recipient(certificate=certificate_of("other"))], chance(), now_us=NOW_US)


def test_a_key_without_a_value_stays_without() -> None:
    document = replace(plain(1), keys=(*plain(1).keys, KeyEntry(kid=KIDS[5])))
    sealed = sealed_for("packager", document=document)
    assert sealed.keys[1].value is None
    assert set(open_document(sealed, private_key("packager")).keys) == {KIDS[0]}


def test_no_key_shows_in_a_repr_or_an_error() -> None:
    told = f"{plain()!r} {private_key('packager')!r} {open_document(plain(), None)!r}"
    assert all(key.reveal().hex() not in told for key in KEYS)


# ── an independent implementation ────────────────────────────────────────────────────────────────────────────────────


def openssl(folder: Path, *command: str, data: bytes) -> bytes:
    return subprocess.run(["openssl", *command], input=data, cwd=folder, capture_output=True, check=True).stdout


@pytest.mark.rule("backend:K4")
@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("name", ["packager", "other"])
def test_plain_openssl_commands_open_what_we_seal(tmp_path: Path, name: str) -> None:
    document = read(write(sealed_for("packager", "other"))).document
    (tmp_path / "key.pem").write_bytes(private_pem(name))
    delivery = document.delivery[("packager", "other").index(name)]
    assert delivery.mac_key is not None
    oaep = ("pkeyutl", "-decrypt", "-inkey", "key.pem", "-pkeyopt", "rsa_padding_mode:oaep")
    document_key = openssl(tmp_path, *oaep, data=delivery.document_keys[0].sealed.cipher)
    mac_key = openssl(tmp_path, *oaep, data=delivery.mac_key.cipher)
    value = sealed_key(document)
    hmac = ("dgst", "-sha512", "-binary", "-mac", "HMAC", "-macopt", f"hexkey:{mac_key.hex()}")
    assert openssl(tmp_path, *hmac, data=value.cipher) == value.mac
    cbc = ("enc", "-d", "-aes-256-cbc", "-K", document_key.hex(), "-iv", value.cipher[:16].hex())
    assert openssl(tmp_path, *cbc, data=value.cipher[16:]) == KEYS[0].reveal()


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True), st.data())
def test_any_subset_opens_to_itself(numbers: list[int], data: st.DataObject) -> None:
    own: frozenset[KeyId] = data.draw(st.frozensets(st.sampled_from([KIDS[n] for n in numbers]), min_size=1))
    document = Document(keys=tuple(KeyEntry(kid=KIDS[n], value=KEYS[n]) for n in numbers))
    recipient = Recipient(certificate=certificate_of("packager"), kids=own)
    sealed = seal(document, [recipient], chance(), now_us=NOW_US)
    opened = open_document(read(write(sealed)).document, private_key("packager"))
    assert opened.keys == {KIDS[n]: KEYS[n] for n in numbers if KIDS[n] in own}
