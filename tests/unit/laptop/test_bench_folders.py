import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from streams.laptop.benches.folders import scratch

#: A measurement that says where it works, and then does so until it is killed.
MEASUREMENT = """
import tempfile, sys
tempfile.tempdir = sys.argv[1]
from streams.laptop.benches.folders import scratch
with scratch() as folder:
    (folder / "data").write_text("much")
    print(folder, flush=True)
    sys.stdin.read()
"""


def test_a_killed_measurement_is_cleaned_up_after_and_a_running_one_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each million incidents that nobody needs any more are gigabytes; those of a neighbour are needed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", MEASUREMENT, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        theirs = Path(running.stdout.readline().strip())
        with scratch() as ours:
            assert (theirs / "data").exists()
            assert ours.is_dir()
        running.kill()
        running.wait(10)
    assert (theirs / "data").exists()

    with scratch() as ours:
        assert list(tmp_path.iterdir()) == [ours]
    assert not list(tmp_path.iterdir())
