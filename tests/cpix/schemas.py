"""The published schemas, as the package `cpix` brings them: the form of 2.2 with two changes that 2.3 made.

Nothing of that package is run. Its XML Signature schema has a DOCTYPE, so that it is read by a parser of its own.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"


@cache
def schema_2_3() -> Any:
    try:
        folder = Path(str(metadata.distribution("cpix").locate_file("cpix/schema")))
    except metadata.PackageNotFoundError:
        pytest.skip("the package cpix, whose schema files are wanted, is not installed")
    tree = etree.parse(str(folder / "cpix.xsd"), etree.XMLParser(no_network=True))
    for attribute in tree.iter(f"{XS}attribute"):
        if attribute.get("name") == "periodId":
            attribute.set("type", "xs:IDREF")  # 2.2 says xs:ID, by which no filter could name a period
    entry = next(each for each in tree.iter(f"{XS}complexType") if each.get("name") == "ContentKeyType")
    extension = next(entry.iter(f"{XS}extension"))
    etree.SubElement(extension, f"{XS}attribute", name="commonEncryptionScheme", type="xs:string")  # new in 2.3
    return etree.XMLSchema(tree)


def complaints(data: bytes) -> list[str]:
    """What the schema says against a document."""
    schema = schema_2_3()
    schema.validate(etree.fromstring(data))
    return [error.message for error in schema.error_log]
