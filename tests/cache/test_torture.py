"""Processes that write the same entries and are killed at any moment leave a whole cache."""

from __future__ import annotations

import hashlib
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from frcnn_cli.cache.gc import WRITE_SECONDS, GarbageRules, find_garbage, remove
from frcnn_cli.cache.inventory import entries, leftovers
from frcnn_cli.cache.store import Cache, read_entry
from frcnn_cli.cache.verify import verify

WRITER = """
import hashlib, itertools, json, random, sys
from pathlib import Path
from frcnn_cli.cache.store import Cache

cache, seed = Cache(Path(sys.argv[1])), int(sys.argv[2])
draw = random.Random(seed)
print("ready", flush=True)
for i in itertools.count():
    name = draw.choice([f"shared {draw.randrange(8)}", f"own {seed} {i}"])
    key = hashlib.sha256(name.encode()).hexdigest()
    text = json.dumps({"key": key, "filler": "x" * draw.randrange(200_000)})
    cache.write("things", key, text.encode(), about={"by": seed}, durable=False)
"""
WRITERS = 4
KILLS = 30


def start(root: Path, seed: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), str(seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.slow
def test_random_kills_leave_every_entry_whole(tmp_path, record_property):
    draw = random.Random(0)
    cache = Cache(tmp_path / "cache")
    writers = [start(cache.root, seed) for seed in range(WRITERS)]
    try:
        for kill in range(KILLS):
            time.sleep(draw.uniform(0, 0.03))
            victim = draw.randrange(WRITERS)
            writers[victim].kill()
            writers[victim].communicate()
            writers[victim] = start(cache.root, WRITERS + kill)
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    kept = list(entries(cache))
    assert len(kept) > KILLS
    record_property("processes killed", KILLS + WRITERS)
    assert [verdict for verdict in verify(cache) if verdict.problem] == []
    for entry in kept:
        assert f'"key": "{entry.path.name}"'.encode() in read_entry(entry.path)
    later = time.time() + 2 * WRITE_SECONDS
    for item in list(find_garbage(cache, later, GarbageRules(0))):
        remove(item)
    assert list(leftovers(cache)) == []
    assert len(list(entries(cache))) == len(kept)
    assert hashlib.sha256(b"shared 0").hexdigest() in {entry.path.name for entry in kept}
