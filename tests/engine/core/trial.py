"""Tries copies of the core: the tests of each copy, each in a process of its own.

    python trial.py FOLDER... -- PYTEST_ARGUMENT...

What takes the time in a short run of pytest is loading it.  So this program loads it once
and forks for every folder; a child knows nothing of the others and imports only its copy.
For each folder it prints a line, ``<exit code> <folder>``, and leaves what pytest said in
``trial.txt`` there.
"""

from __future__ import annotations

import os
import sys

import cryptography.hazmat.primitives.hpke  # noqa: F401  # loaded here so that no child needs to
import hypothesis  # noqa: F401  # likewise
import pytest


def main(folders: list[str], arguments: list[str]) -> None:
    """Try all *folders*, as many at a time as there are cores."""
    waiting, running = list(folders), dict[int, str]()
    while waiting or running:
        if waiting and len(running) < (os.cpu_count() or 1):
            folder = waiting.pop(0)
            running[_fork(folder, arguments)] = folder
            continue
        child, status = os.wait()
        print(os.waitstatus_to_exitcode(status), running.pop(child), flush=True)  # noqa: T201  # a program's answer


def _fork(folder: str, arguments: list[str]) -> int:
    child = os.fork()
    if child:
        return child
    code = 70  # of an error in here, which is no verdict on the copy
    try:
        report = os.open(f"{folder}/trial.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(report, 1)
        os.dup2(report, 2)
        os.chdir(folder)
        sys.path.insert(0, folder)
        code = int(pytest.main(arguments))
        sys.stdout.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    end = sys.argv.index("--")
    main(sys.argv[1:end], sys.argv[end + 1 :])
