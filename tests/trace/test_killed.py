"""kill −9 at random points of a busy run: every record that was acknowledged is there, and opening again is quick.

The page cache outlives the process, so this tests recovery and the lock, and not durability; `test_crash` tests that.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

from tenantrank.trace.verify import verify
from tests.trace.making import SIGNER, decision, opened

LONG = os.environ.get("TENANTRANK_LONG") == "1"

_BUSY = """
import sys, threading
from pathlib import Path
from tests.trace.making import opened, decision, START, Wall
from datetime import timedelta

store = opened(Path(sys.argv[1]), checkpoint_every=50)
first = int(sys.argv[2])
out = threading.Lock()

def work(thread):
    number = 0
    while True:
        number += 1
        name = first * 1_000_000 + thread * 100_000 + number
        seq = store.submit(decision(name), [("health", f"h{name // 50}", lambda: b"health" * 1000)]).result()
        with out:
            sys.stdout.write(f"{seq} {name}\\n")
            sys.stdout.flush()
        if thread == 0 and number % 200 == 0:
            store.retain(START + timedelta(seconds=number))

print("ready", flush=True)
for thread in range(4):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
threading.Event().wait()
"""


def test_killed_at_random_points(tmp_path: Path) -> None:
    path = tmp_path / "trace.db"
    choice = random.Random(3)
    answered: dict[int, int] = {}
    slowest = 0.0
    kills = 200 if LONG else 3
    for round in range(kills):
        output = tmp_path / "out"
        with output.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-c", _BUSY, str(path), str(round)], stdout=file, env={**os.environ, "PYTHONPATH": "."}
            )
            while b"ready" not in output.read_bytes():
                assert process.poll() is None
                time.sleep(0.01)
            time.sleep(choice.uniform(0.0, 0.6))
            process.kill()
            process.wait()
        for line in output.read_text().split("\n")[1:-1]:  # The last one may be cut off: it tells of nothing then.
            seq, name = line.split()
            answered[int(seq)] = int(name)
        began = time.perf_counter()
        with opened(path, checkpoint_every=50) as store:
            slowest = max(slowest, time.perf_counter() - began)
            removed = store.stub().last if store.stub() else 0
            for seq, name in answered.items():
                if seq > removed:
                    stored = store.get(seq)
                    assert stored is not None, seq
                    assert stored.record["id"] == f"tr_{name:04}"
            report = verify(store, (), SIGNER.public_key)
            assert report.ok, report.problems[:3]
            assert store.append([decision(10**9 + round)]) == [report.last + 1]
    assert len(answered) > 20 * kills
    assert slowest < 2.0  # The promise is to be ready again within two seconds.
    print(f"\n{kills} kills, {len(answered)} records answered for, opened again in {slowest * 1e3:.1f} ms at most")
