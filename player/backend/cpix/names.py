"""Namespaces, algorithms and element names of CPIX and of what it is made of."""

from __future__ import annotations

from typing import Final

CPIX: Final = "urn:dashif:org:cpix"
PSKC: Final = "urn:ietf:params:xml:ns:keyprov:pskc"
XENC: Final = "http://www.w3.org/2001/04/xmlenc#"
DS: Final = "http://www.w3.org/2000/09/xmldsig#"
XML: Final = "http://www.w3.org/XML/1998/namespace"
XSI: Final = "http://www.w3.org/2001/XMLSchema-instance"

PREFIXES: Final = {"cpix": CPIX, "pskc": PSKC, "xenc": XENC, "ds": DS}

RSA_OAEP: Final = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p"  # SHA-1 in digest and in MGF1
AES256_CBC: Final = "http://www.w3.org/2001/04/xmlenc#aes256-cbc"
HMAC_SHA512: Final = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha512"

DELIVERY_DATA_LIST: Final = "DeliveryDataList"
CONTENT_KEY_LIST: Final = "ContentKeyList"
DRM_SYSTEM_LIST: Final = "DRMSystemList"
PERIOD_LIST: Final = "ContentKeyPeriodList"
RULE_LIST: Final = "ContentKeyUsageRuleList"
HISTORY_LIST: Final = "UpdateHistoryItemList"
LISTS: Final = (DELIVERY_DATA_LIST, CONTENT_KEY_LIST, DRM_SYSTEM_LIST, PERIOD_LIST, RULE_LIST, HISTORY_LIST)
"""In the order the schema asks for; signatures follow."""


def qname(name: str) -> str:
    """`cpix:ContentKey` as the XML library wants it; without a prefix the name is CPIX's own."""
    prefix, colon, local = name.rpartition(":")
    return f"{{{PREFIXES[prefix] if colon else CPIX}}}{local}"


def prefixed(tag: str) -> str:
    """The way back: CPIX's own names without a prefix, names of a namespace that is not known in braces."""
    uri, brace, local = tag.rpartition("}")
    if not brace:
        return f"{{}}{tag}"
    prefix = _PREFIX_OF.get(uri[1:])
    return tag if prefix is None else prefix + local


_PREFIX_OF: Final = {uri: "" if prefix == "cpix" else f"{prefix}:" for prefix, uri in PREFIXES.items()}
