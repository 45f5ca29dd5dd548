"""Text has sample entries of its own shapes: encrypted here, it comes back from the command as it was."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from player.cli.main import main
from player.ids import ContentKey, KeyId
from player.isobmff.dump import walk
from player.isobmff.init import parse_init
from player.isobmff.sample import Protection, Scheme
from tests.cenc.content import KEY, KID, Studio
from tests.cenc.wrap import STSD, TEXT, find, protect_file

pytestmark = pytest.mark.oracle

CUES = "WEBVTT\n\n" + "".join(
    f"00:00:0{second}.000 --> 00:00:0{second + 1}.000\n{second} is more than one block of text\n\n"
    for second in range(4)
)


@pytest.fixture(scope="module")
def texts(studio: Studio) -> dict[str, bytes]:
    """Clear fragmented files: ffmpeg writes tx3g, Packager the others."""
    cues = studio.folder / "cues.vtt"
    cues.write_text(CUES, encoding="ascii")
    made = {name: studio.folder / f"{name}.mp4" for name in TEXT}
    flags = ("-movflags", "+empty_moov+default_base_moof", "-frag_duration", "2000000")
    studio.run_ffmpeg("-i", str(cues), "-c:s", "mov_text", *flags, str(made["tx3g"]))
    for name, form in (("wvtt", "vtt+mp4"), ("stpp", "ttml+mp4")):
        track = f"in={cues},stream=text,output={made[name]},format={form}"
        command = [studio.packager, track, "--segment_duration", "2", "--quiet"]
        subprocess.run(command, check=True, capture_output=True, timeout=60)
    return {name: path.read_bytes() for name, path in made.items()}


def protection(scheme: Scheme) -> Protection:
    iv_size = {Scheme.CBC1: 16, Scheme.CBCS: 0}.get(scheme, 8)
    return Protection(scheme=scheme, kid=KeyId(KID), iv_size=iv_size, constant_iv=b"" if iv_size else bytes(16))


def samples(studio: Studio, path: Path) -> bytes:
    return studio.run_ffmpeg("-i", str(path), "-map", "0", "-c", "copy", "-f", "data", "-")


@pytest.mark.rule("media:M33")
@pytest.mark.parametrize("scheme", Scheme)
@pytest.mark.parametrize("name", TEXT)
def test_text_comes_back_as_it_was(
    studio: Studio, texts: dict[str, bytes], tmp_path: Path, name: str, scheme: Scheme
) -> None:
    encrypted = protect_file(texts[name], protection(scheme), ContentKey(KEY))
    (entry,) = parse_init(encrypted).tracks[0].entries
    assert (entry.fourcc, entry.protection) == (name, protection(scheme))
    source, protected, clear = (tmp_path / f"{each}.mp4" for each in ("source", "protected", "clear"))
    source.write_bytes(texts[name])
    protected.write_bytes(encrypted)
    assert samples(studio, protected) != samples(studio, source)
    assert main(["decrypt", str(protected), "--key", f"{KID.hex()}:{KEY.hex()}", "--output", str(clear)]) == 0
    assert samples(studio, clear) == samples(studio, source)
    assert find(clear.read_bytes(), STSD) == find(texts[name], STSD)


@pytest.mark.parametrize("name", TEXT)
def test_the_tree_goes_down_into_protected_text(texts: dict[str, bytes], name: str) -> None:
    encrypted = protect_file(texts[name], protection(Scheme.CENC), ContentKey(KEY))
    fields = {box.path: box.fields for box in walk(encrypted)}
    sinf = f"moov/trak/mdia/minf/stbl/stsd/{TEXT[name].decode()}/sinf"
    assert fields[f"{sinf}/frma"] == {"format": name}
    assert fields[f"{sinf}/schi/tenc"]["kid"] == str(KeyId(KID))
