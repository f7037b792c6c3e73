"""How the commands of the house answer whoever asks them wrongly."""

from __future__ import annotations

import argparse
from typing import Final, NoReturn

ASKED_WRONGLY: Final = 2  # the exit code


class Parser(argparse.ArgumentParser):
    """One line for a mistake: the usage is shown to who asks for it."""

    def error(self, message: str) -> NoReturn:
        """Say it and end."""
        self.exit(ASKED_WRONGLY, f"{self.prog}: {message} (--help tells more)\n")
