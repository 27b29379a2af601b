"""Two network namespaces of this machine as two hosts, joined by a slow network.

    python -m benchmarks.two_hosts --delay 0.0005 --rate 1e9 python train.py

runs ``mpiexec -n 2 python train.py`` with one rank in each namespace.  Each namespace has a TUN
device; a relay process takes the packets that one of them sends, holds each until the network
would have delivered it, and hands it to the other.  A packet leaves when the one before it has left
(its bits divided by the rate) and arrives `delay` seconds later, in each direction by itself.
Kernels without tc's netem can do this too.  The relay takes some time of a processor.

It needs root, `ip` and mpiexec of MPICH, which then uses TCP.
"""

from __future__ import annotations

import argparse
import ctypes
import fcntl
import os
import select
import signal
import struct
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, sleep

__all__ = ["command_on", "hosts"]

MTU = 32_000  # bytes: few packets, so that the relay takes little time
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
CLONE_NEWNET = 0x40000000
# MPICH by sockets only; without these its ranks might find that they are on one machine
BY_TCP = {"MPIR_CVAR_CH4_NETMOD": "ofi", "FI_PROVIDER": "tcp", "FI_TCP_IFACE": "slow"}


def run(*command: str) -> None:
    subprocess.run(command, check=True)


def is_up(namespace: str) -> bool:
    """Return whether the device of a namespace has found its peer: the kernel takes a second."""
    found = subprocess.run(
        ["ip", "-n", namespace, "link", "show", "slow"], capture_output=True, check=True
    )
    return b"state UP" in found.stdout


def open_device(namespace: str) -> int:
    """Open the TUN device of a namespace; this process moves into the namespace."""
    with Path("/run/netns", namespace).open() as file:
        if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), f"cannot enter the network namespace {namespace}")
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, TUNSETIFF, struct.pack("16sH22x", b"slow", IFF_TUN | IFF_NO_PI))
    return device


def relay(namespaces: Sequence[str], delay: float, rate: float) -> None:
    """Pass on packets between two namespaces until this process is ended."""
    os.setpriority(os.PRIO_PROCESS, 0, -20)  # before ranks that poll while they wait
    devices = [open_device(one) for one in namespaces]
    waiting: list[deque[tuple[float, bytes]]] = [deque(), deque()]  # to be read by device 0, 1
    free = [0.0, 0.0]  # when the last packet will have left
    while True:
        now = perf_counter()
        due = [queue[0][0] - now for queue in waiting if queue]
        timeout = max(0.0, min(due)) if due else None
        for device in select.select(devices, [], [], timeout)[0]:
            other = 1 - devices.index(device)
            packet = os.read(device, MTU + 100)
            free[other] = max(free[other], perf_counter()) + 8 * len(packet) / rate
            waiting[other].append((free[other] + delay, packet))
        now = perf_counter()
        for device, queue in zip(devices, waiting, strict=True):
            while queue and queue[0][0] <= now:
                os.write(device, queue.popleft()[1])


@contextmanager
def hosts(delay: float, rate: float) -> Iterator[tuple[str, str]]:
    """Make two namespaces, joined by a network of so many seconds and bits a second."""
    names = f"fastmlp{os.getpid()}a", f"fastmlp{os.getpid()}b"
    process = None
    try:
        for name in names:
            run("ip", "netns", "add", name)
            run("ip", "-n", name, "link", "set", "lo", "up")
            if delay > 0:
                run("ip", "-n", name, "tuntap", "add", "dev", "slow", "mode", "tun")
        if delay == 0:
            ends = [("name", "slow", "netns", name) for name in names]
            run("ip", "link", "add", *ends[0], "type", "veth", "peer", *ends[1])
        for i, name in enumerate(names):
            run("ip", "-n", name, "addr", "add", f"10.77.0.{i + 1}/24", "dev", "slow")
            run("ip", "-n", name, "link", "set", "slow", "up", "mtu", str(MTU))
            if delay == 0:
                limit = ("tbf", "rate", f"{rate:.0f}bit", "burst", "256k", "latency", "100ms")
                run("tc", "-n", name, "qdisc", "add", "dev", "slow", "root", *limit)
        while delay == 0 and not all(is_up(name) for name in names):
            sleep(0.05)
        if delay > 0:
            command = [sys.executable, __file__, "--relay", *names]
            process = subprocess.Popen([*command, "--delay", str(delay), "--rate", str(rate)])
        yield names
    finally:
        if process is not None:
            process.kill()
            process.wait()
        for name in names:
            found = subprocess.run(["ip", "netns", "pids", name], capture_output=True, check=False)
            for number in found.stdout.split():  # of ranks, if they have not ended
                os.kill(int(number), signal.SIGKILL)
            subprocess.run(["ip", "netns", "del", name], check=False)


@contextmanager
def command_on(names: Sequence[str], command: Sequence[str]) -> Iterator[list[str]]:
    """Return the command that runs a program with one rank in each of the namespaces."""
    own = Path(sys.executable).with_name("mpiexec")
    with tempfile.TemporaryDirectory() as folder:
        launcher = Path(folder, "launcher")  # is called as ssh is: options, host, command
        launcher.write_text(
            '#!/bin/sh\nwhile [ "$1" != 10.77.0.2 ]; do shift; done\nshift\n'
            f'exec ip netns exec {names[1]} sh -c "$*"\n'
        )
        launcher.chmod(0o755)
        variables = [word for pair in BY_TCP.items() for word in ("-genv", *pair)]
        yield [
            *("ip", "netns", "exec", names[0]),
            *(str(own) if own.exists() else "mpiexec", "-launcher-exec", str(launcher)),
            *("-hosts", "10.77.0.1,10.77.0.2", "-ppn", "1", "-n", "2", *variables, *command),
        ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--delay", type=float, default=0.0, help="seconds, in each direction")
    parser.add_argument("--rate", type=float, default=1e9, help="bits a second")
    parser.add_argument("--relay", nargs=2, help=argparse.SUPPRESS)  # the process in between
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    if options.relay:
        relay(options.relay, options.delay, options.rate)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the namespaces are removed
    with hosts(options.delay, options.rate) as names, command_on(names, options.command) as words:
        raise SystemExit(subprocess.run(words, check=False).returncode)


if __name__ == "__main__":
    main()
