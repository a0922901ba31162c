"""Executes the steps of the Dockerfile without a container engine, in a Debian root made by debootstrap.

    python benchmarks/dockerfile.py ROOT MODEL SOUND [--mirror URL] [--bind PATH ...] [--env NAME=VALUE ...]

As root, on Linux. ROOT must not exist; it is made (`debootstrap --variant=minbase`, of the release that FROM names) and
kept. Each step is read from the Dockerfile and runs in it, with mounts of its own that end with it. Then the entry
point is started as the user of the image, with MODEL mounted at /model: the health check must succeed, SOUND is sent,
and SIGTERM must end the server. `--bind`: folders of this computer to mount in each step, such as those of a package
index; they are read-only. `--env`: variables that steps see, such as PIP_CERT=/certificates/own.crt. `--mirror`: of
Debian; without it, debootstrap chooses its own.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
PATIENCE_S = 300


@dataclass
class Image:
    """What the steps so far have set."""

    root: Path
    binds: list[Path]
    mirror: list[str]
    """Of Debian; empty: that of debootstrap."""
    environment: dict[str, str]
    """Of steps alone, which the image does not keep."""
    variables: dict[str, str] = field(default_factory=dict)
    user: str = "root"
    entry: list[str] = field(default_factory=list)
    command: list[str] = field(default_factory=list)
    health: list[str] = field(default_factory=list)


def steps(path: Path) -> list[tuple[str, str]]:
    """Instructions with their arguments."""
    text = re.sub(r"^\s*#.*\n", "", path.read_text(encoding="utf-8"), flags=re.M).replace("\\\n", " ")
    words = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    return [(name.upper(), rest.strip()) for name, _, rest in words]


def chrooted(image: Image, words: list[str], mounts: dict[Path, str], variables: dict[str, str]) -> list[str]:
    """A command within the root, in a mount namespace of its own."""
    lines = ["set -e", "mount -t proc proc $ROOT/proc", "mount --rbind /dev $ROOT/dev"]
    for source, target in mounts.items():
        place = image.root / target.lstrip("/")
        place.mkdir(parents=True, exist_ok=True)
        pair = f"{shlex.quote(str(source))} {shlex.quote(str(place))}"
        # Read-only, so that no step changes the bound folders.
        lines += [f"mount --bind {pair}", f"mount -o remount,bind,ro {pair}"]
    settings = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"} | variables
    inside = ["env", "-i", *(f"{name}={value}" for name, value in settings.items()), *words]
    user = (
        ["setpriv", f"--reuid={image.user}", f"--regid={image.user}", "--init-groups"] if image.user != "root" else []
    )
    lines.append(f"exec chroot $ROOT {shlex.join([*user, *inside])}")
    script = "\n".join(lines).replace("$ROOT", shlex.quote(str(image.root)))
    return ["unshare", "--mount", "sh", "-c", script]


def run(image: Image, shell: str) -> None:
    """A RUN step."""
    mounts = {bind: str(bind) for bind in image.binds}
    command = chrooted(image, ["/bin/sh", "-c", shell], mounts, image.environment | image.variables)
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)


def copy(image: Image, rest: str) -> None:
    *sources, target = rest.split()
    place = image.root / target.lstrip("/")
    for source in (REPOSITORY / name for name in sources):
        if source.is_dir():
            ignore = shutil.ignore_patterns("__pycache__", "*.egg-info")
            shutil.copytree(source, place, dirs_exist_ok=True, ignore=ignore)
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, place)


def execute(image: Image, name: str, rest: str) -> None:
    """One instruction."""
    if name == "FROM":
        release = re.fullmatch(r"debian:(\w+)-slim", rest)
        assert release is not None, f"FROM {rest}: expected debian:RELEASE-slim"
        subprocess.run(["debootstrap", "--variant=minbase", release[1], str(image.root), *image.mirror], check=True)
        shutil.copy("/etc/resolv.conf", image.root / "etc" / "resolv.conf")
    elif name == "RUN":
        run(image, rest)
    elif name == "COPY":
        copy(image, rest)
    elif name == "ARG":
        key, _, value = rest.partition("=")
        image.environment[key] = value
    elif name == "ENV":
        image.variables |= dict(word.split("=", 1) for word in shlex.split(rest))
    elif name == "USER":
        image.user = rest
    elif name == "ENTRYPOINT":
        image.entry = json.loads(rest)
    elif name == "CMD":
        image.command = json.loads(rest)
    elif name == "HEALTHCHECK":
        image.health = json.loads(rest.partition("CMD")[2])
    else:
        assert name == "EXPOSE", f"{name}: unknown here"


def check(image: Image, model: Path, sound: Path) -> None:
    """Starts the container's process, asks it, and stops it."""
    command = chrooted(image, [*image.entry, *image.command], {model: "/model"}, image.variables)
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL)
    try:
        healthy = chrooted(image, image.health, {}, image.variables)
        end = time.monotonic() + PATIENCE_S
        while subprocess.run(healthy, check=False, stderr=subprocess.DEVNULL).returncode != 0:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < end, "the health check does not succeed"
            time.sleep(2)
        print("healthy", flush=True)
        request = urllib.request.Request("http://127.0.0.1:8000/predict?scores=false", data=sound.read_bytes())
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request) as answer:
            print(answer.status, answer.read().decode(), flush=True)
    finally:
        server.terminate()
        print(f"stopped with status {server.wait(60)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    for name in ("root", "model", "sound"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--mirror", nargs=1, default=[])
    parser.add_argument("--bind", type=Path, nargs="*", default=[])
    parser.add_argument("--env", nargs="*", default=[])
    words = parser.parse_args()
    if os.geteuid() != 0:
        sys.exit("run as root: steps are executed with chroot")
    if words.root.exists():
        sys.exit(f"{words.root}: exists already; give a new folder")
    environment = dict(word.split("=", 1) for word in words.env)
    image = Image(words.root.resolve(), [path.resolve() for path in words.bind], words.mirror, environment)
    for name, rest in steps(REPOSITORY / "Dockerfile"):
        print(f"{name} {rest}", flush=True)
        execute(image, name, rest)
    check(image, words.model.resolve(), words.sound)


if __name__ == "__main__":
    main()
