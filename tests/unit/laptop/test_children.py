import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

#: A parent that starts a child, which holds the parent's output open as long as it lives.
PARENT = """
import asyncio, sys
from streams.laptop.children import die_with_parent
async def main():
    child = await asyncio.create_subprocess_exec(
        "sleep", "600", start_new_session=True, preexec_fn=die_with_parent())
    print(child.pid, flush=True)
    await child.wait()
asyncio.run(main())
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux can do that")
def test_a_child_ends_with_its_parent_even_where_that_could_say_nothing():
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.kill()
        try:
            parent.communicate(timeout=10)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
            pytest.fail("the child runs on")
