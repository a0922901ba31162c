"""Load on `audiosurvey serve`: many clients at once, with sounds that are good, broken and too large.

    python benchmarks/serving.py MODEL SOUNDS [--clients 50] [--seconds 60] [--threads N]

A server is started with the model on a free port of this computer. Each client sends sounds of the folder SOUNDS, each
as soon as the last one is answered. Prints requests a second, the median and the 99th percentile of the time to the
answer, answers other than 200, the server's processor time a request, and its memory. Then broken, empty and oversized
uploads are sent, whose answers are printed.
"""

import argparse
import asyncio
import re
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import numpy as np
import psutil

MAX_MB = 10


@dataclass
class Load:
    """What the clients have seen."""

    seconds: list[float] = field(default_factory=list)
    """From sending a sound to its answer."""
    statuses: Counter[int | str] = field(default_factory=Counter)


async def client(number: int, http: httpx.AsyncClient, sounds: list[bytes], end: float, load: Load) -> None:
    """Sends sounds until `end`."""
    while time.monotonic() < end:
        body = sounds[(number + sum(load.statuses.values())) % len(sounds)]
        began = time.monotonic()
        try:
            answer = await http.post("/predict", content=body)
            load.statuses[answer.status_code] += 1
        except httpx.HTTPError as error:
            load.statuses[type(error).__name__] += 1
        load.seconds.append(time.monotonic() - began)


async def clients(address: str, sounds: list[bytes], number: int, seconds: float) -> Load:
    load = Load()
    limits = httpx.Limits(max_connections=number)
    async with httpx.AsyncClient(base_url=address, timeout=120, limits=limits, trust_env=False) as http:
        end = time.monotonic() + seconds
        await asyncio.gather(*(client(n, http, sounds, end, load) for n in range(number)))
    return load


def report(load: Load, seconds: float) -> None:
    p50, p99 = np.percentile(load.seconds, [50, 99])
    good = load.statuses[200]
    errors = {status: count for status, count in load.statuses.items() if status != 200}
    print(f"{good / seconds:.1f} requests/s, p50 {p50:.3f} s, p99 {p99:.3f} s, errors {errors or 0}")


def refusals(address: str, sound: bytes) -> None:
    """Uploads that cannot be answered."""
    kinds = {"empty": b"", "broken": sound[: len(sound) // 2], "no sound": b"x" * 1000, "too large": bytes(11_000_000)}
    for name, body in kinds.items():
        answer = httpx.post(f"{address}/predict", content=body, timeout=60, trust_env=False)
        print(f"{name}: {answer.status_code} {answer.json()['detail']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("model")
    parser.add_argument("sounds", type=Path)
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--threads", type=int, default=1)
    words = parser.parse_args()
    sounds = [path.read_bytes() for path in sorted(words.sounds.iterdir())[:200]]
    command = [sys.executable, "-u", "-m", "audiosurvey", "serve", words.model, "--port", "0"]
    command += ["--threads", str(words.threads), "--max-mb", str(MAX_MB)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address = re.match(r"http://\S+", server.stdout.readline())
        assert address is not None, "the server has not started"
        memory = psutil.Process(server.pid)
        asyncio.run(clients(address[0], sounds, words.clients, 5))
        before = memory.memory_info().rss / 1e6
        used, began = sum(memory.cpu_times()[:2]), time.monotonic()
        load, kept = Load(), [before]
        for _ in range(4):
            part = asyncio.run(clients(address[0], sounds, words.clients, words.seconds / 4))
            load.seconds += part.seconds
            load.statuses += part.statuses
            kept.append(memory.memory_info().rss / 1e6)
        report(load, time.monotonic() - began)
        each_ms = 1000 * (sum(memory.cpu_times()[:2]) - used) / max(1, load.statuses[200])
        print(f"processor time of the server: {each_ms:.0f} ms a request")
        print(f"memory after a warm-up and each quarter: {', '.join(f'{one:.0f}' for one in kept)} MB")
        refusals(address[0], sounds[0])
    finally:
        server.terminate()
        print(f"stopped with status {server.wait(60)}")


if __name__ == "__main__":
    main()
