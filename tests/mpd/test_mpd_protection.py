"""ContentProtection: key ids, boxes, URLs by precedence of their namespaces, references, conflicts."""

from __future__ import annotations

import base64

import pytest

from player.ids import KeyId
from player.mpd.model import ContentProtection, Presentation
from player.mpd.parse import parse

KID = KeyId.parse("00112233-4455-6677-8899-aabbccddeeff")
OTHER = KeyId.parse("f0112233-4455-6677-8899-aabbccddeeff")
MP4 = "urn:mpeg:dash:mp4protection:2011"
CLEARKEY = "urn:uuid:e2719d58-a985-b3c9-781a-b030af78d30e"
BOX = (32).to_bytes(4, "big") + b"pssh" + bytes(24)
NAMESPACES = (
    'xmlns="urn:mpeg:dash:schema:mpd:2011" xmlns:c="urn:mpeg:cenc:2013" xmlns:pr="urn:microsoft:playready"'
    ' xmlns:guide="https://dashif.org/" xmlns:cps="https://dashif.org/CPS"'
    ' xmlns:old="http://dashif.org/guidelines/clearKey" xmlns:ck="urn:vendor:one" xmlns:else="urn:vendor:two"'
)


def mpd(sets: str, *, of_mpd: str = "", of_period: str = "") -> Presentation:
    head = f'<MPD {NAMESPACES} mediaPresentationDuration="PT60S">{of_mpd}<Period>{of_period}'
    return parse(f"{head}{sets}</Period></MPD>".encode(), "http://origin.example/a.mpd")


def one_set(descriptors: str, of_representation: str = "") -> str:
    template = '<SegmentTemplate duration="2" media="m"/>'
    return (
        f"<AdaptationSet mimeType='video/mp4'>{descriptors}"
        f"<Representation id='v'>{of_representation}{template}</Representation></AdaptationSet>"
    )


def descriptor(children: str = "", attributes: str = "", scheme: str = CLEARKEY) -> str:
    return f'<ContentProtection schemeIdUri="{scheme}" {attributes}>{children}</ContentProtection>'


def only(presentation: Presentation) -> ContentProtection:
    (found,) = presentation.periods[0].adaptation_sets[0].protections
    return found


def pssh(data: bytes) -> str:
    return f"<c:pssh>{base64.b64encode(data).decode()}</c:pssh>"


def test_a_descriptor_keeps_everything_it_says() -> None:
    pro = f"<pr:pro>{base64.b64encode(b'header').decode()}</pr:pro>"
    attributes = f'value="cenc" robustness="HW" c:default_KID="{str(KID).upper()}"'
    presentation = mpd(one_set(descriptor(pssh(BOX) + pro, attributes, scheme=CLEARKEY.upper())))
    assert only(presentation) == ContentProtection(
        scheme=CLEARKEY, value="cenc", default_kids=(KID,), pssh=(BOX,), pro=b"header", robustness="HW"
    )
    assert presentation.warnings == ()


def test_order_is_kept_and_a_scheme_may_come_twice() -> None:
    presentation = mpd(one_set(descriptor(scheme=MP4) + descriptor() + descriptor(pssh(BOX))))
    found = presentation.periods[0].adaptation_sets[0].protections
    assert [one.scheme for one in found] == [MP4, CLEARKEY, CLEARKEY]


def test_protection_of_a_representation_stays_with_it_and_that_of_mpd_and_period_comes_after() -> None:
    presentation = mpd(
        one_set(descriptor(attributes='value="set"'), descriptor(attributes='value="representation"')),
        of_mpd=descriptor(attributes='value="mpd"'),
        of_period=descriptor(attributes='value="period"'),
    )
    (found,) = presentation.periods[0].adaptation_sets
    assert [one.value for one in found.protections] == ["set", "period", "mpd"]
    assert [one.value for one in found.representations[0].protections] == ["representation"]


@pytest.mark.parametrize(
    ("attribute", "kids", "warned"),
    [
        (f'c:default_KID="{KID}"', (KID,), False),
        (f'c:default_KID="{KID} {OTHER}"', (KID, OTHER), False),
        (f'c:default_KID="{bytes(16).hex()}"', (), False),
        ("", (), False),
        (f'default_KID="{KID}"', (KID,), True),
        (f'else:default_KID="{KID}"', (), False),
        ('c:default_KID="1234"', (), True),
    ],
)
def test_default_kid_is_found_by_namespace(attribute: str, kids: tuple[KeyId, ...], warned: bool) -> None:
    presentation = mpd(one_set(descriptor(attributes=attribute, scheme=MP4)))
    assert only(presentation).default_kids == kids
    assert bool(presentation.warnings) == warned


@pytest.mark.parametrize(
    ("text", "boxes", "warned"),
    [
        (pssh(BOX), (BOX,), False),
        (pssh(BOX).replace("A", "A\n  "), (BOX,), False),
        (pssh(BOX + BOX), (BOX, BOX), False),
        (pssh(BOX) + pssh(BOX), (BOX, BOX), False),
        (pssh(BOX[:-1]), (), True),
        (pssh(b"\x00\x00\x00\x00pssh"), (), True),
        (pssh(BOX + b"x"), (), True),
        (pssh(b"\x00\x00\x00\x10free" + bytes(8)), (), True),
        ("<c:pssh>not base64!</c:pssh>" + pssh(BOX), (BOX,), True),
        ("<c:pssh/>", (), False),
        ("<else:pssh>AAAA</else:pssh>", (), False),
    ],
)  # fmt: skip
def test_pssh_is_decoded_or_a_warning(text: str, boxes: tuple[bytes, ...], warned: bool) -> None:
    presentation = mpd(one_set(descriptor(text)))
    assert only(presentation).pssh == boxes
    assert bool(presentation.warnings) == warned


GUIDE, CPS, GUIDE_UPPER, OLD, PREFIX, OTHER_PREFIX = (
    "<guide:laurl>http://1.example/</guide:laurl>",
    '<cps:Laurl licenseType="EME-1.0">http://2.example/</cps:Laurl>',
    "<guide:Laurl>http://3.example/</guide:Laurl>",
    '<old:Laurl Lic_type="EME-1.0">http://4.example/</old:Laurl>',
    "<ck:laurl>http://5.example/</ck:laurl>",
    "<else:Laurl>http://6.example/</else:Laurl>",
)


@pytest.mark.parametrize(
    ("children", "numbers"),
    [
        (OTHER_PREFIX + PREFIX + OLD + GUIDE_UPPER + CPS + GUIDE, [1]),
        (OTHER_PREFIX + PREFIX + OLD + GUIDE_UPPER + CPS, [2]),
        (OTHER_PREFIX + PREFIX + OLD + GUIDE_UPPER, [3]),
        (OTHER_PREFIX + PREFIX + OLD, [4]),
        (OTHER_PREFIX + PREFIX, [5]),
        (OTHER_PREFIX + PREFIX.replace("laurl", "Laurl"), [5]),
        (OTHER_PREFIX, []),
        (CPS + CPS.replace("2.example", "9.example") + CPS, [2, 9]),
        ("<cps:Laurl> </cps:Laurl>" + OLD, [4]),
        ("<cps:Laurl>\n http://2.\n example/ </cps:Laurl>", [2]),
        ("<cps:laurl>http://7.example/</cps:laurl>", []),
    ],
)
def test_license_urls_go_by_the_precedence_of_their_namespaces(children: str, numbers: list[int]) -> None:
    assert only(mpd(one_set(descriptor(children)))).license_urls == tuple(f"http://{n}.example/" for n in numbers)
    authorization = children.replace("laurl", "authzurl").replace("Laurl", "Authzurl")
    found = only(mpd(one_set(descriptor(authorization))))
    assert found.authorization_urls == tuple(f"http://{n}.example/" for n in numbers)
    assert found.license_urls == ()


def test_a_reference_brings_what_the_element_itself_leaves_out() -> None:
    defined = descriptor(pssh(BOX) + CPS, f'refId="a" value="x" c:default_KID="{OTHER}"')
    referring = f'<ContentProtection ref="a" c:default_KID="{KID}"/>'
    presentation = mpd(one_set(referring), of_mpd=defined)
    assert only(presentation) == ContentProtection(
        scheme=CLEARKEY, value="x", default_kids=(KID,), pssh=(BOX,), license_urls=("http://2.example/",)
    )


def test_a_definition_in_a_set_holds_there_and_may_be_referred_to() -> None:
    first = one_set(descriptor(pssh(BOX), f'refId="a" c:default_KID="{KID}"'))
    presentation = mpd(first + one_set(f'<ContentProtection ref="a" schemeIdUri="{CLEARKEY}"/>'))
    one, two = presentation.periods[0].adaptation_sets
    assert one.protections == two.protections


@pytest.mark.parametrize("reference", ['ref="none"', 'ref="a" refId="a"'])
def test_a_reference_to_nothing_or_to_itself_is_a_warning(reference: str) -> None:
    presentation = mpd(one_set(descriptor(attributes=reference)))
    assert only(presentation).scheme == CLEARKEY
    assert "names no ContentProtection" in presentation.warnings[0]


def test_a_descriptor_without_scheme_costs_only_itself() -> None:
    presentation = mpd(one_set("<ContentProtection/>" + descriptor()))
    assert only(presentation).scheme == CLEARKEY
    assert presentation.warnings == ("/MPD/Period[1]/AdaptationSet[1]/ContentProtection[1]: no @schemeIdUri",)


def test_of_conflicting_descriptors_for_one_key_the_first_wins_with_a_warning() -> None:
    key = f'c:default_KID="{KID}"'
    presentation = mpd(one_set(descriptor(CPS, key)) + one_set(descriptor(OLD, key)) + one_set(descriptor(OLD)))
    urls = [one.protections[0].license_urls for one in presentation.periods[0].adaptation_sets]
    assert urls == [("http://2.example/",), ("http://2.example/",), ("http://4.example/",)]
    assert len(presentation.warnings) == 1
    assert "same default_KID" in presentation.warnings[0]
