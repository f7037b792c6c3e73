"""NXP's Leakage Resilient Primitive: the worked examples of AN12304."""

from __future__ import annotations

import pytest

from verifier.core.lrp import Lrp


@pytest.mark.parametrize(
    ("key", "message", "mac"),
    [
        (
            "8195088CE6C393708EBBE6C7914ECB0B",
            "BBD5B85772C7",
            "AD8595E0B49C5C0DB18E77355F5AAFF6",
        ),
        (
            "E2F84A0B0AF40EFEB3EEA215A436605C",
            "8BF1DDA9FE445560A4F4EB9CE0",
            "D04382DF71BC293FEC4BB10BDB13805F",
        ),
        (
            "5AA9F6C6DE5138113DF5D6B6C77D5D52",
            "A4434D740C2CB665FE5396959189383F",
            "8B43ADF767E46B692E8F24E837CB5EFC",
        ),
    ],
)
def test_cmac(key: str, message: str, mac: str) -> None:
    """A padded block, and a whole one."""
    assert Lrp(bytes.fromhex(key), 0).cmac(bytes.fromhex(message)).hex().upper() == mac


def test_decrypting_counts_on() -> None:
    """Two blocks: the second under the counter's next value, and padded as NXP pads."""
    lrp = Lrp(bytes.fromhex("E0C4935FF0C254CD2CEF8FDDC32460CF"), 0)
    secret = "FCBBACAA4F29182464F99DE41085266F480E863E487BAAF687B43ED1ECE0D623"
    plain = lrp.decrypt(bytes.fromhex("C3315DBF"), bytes.fromhex(secret))
    assert plain.hex().upper() == "012D7F1653CAF6503C6AB0C1010E8CB0" + "80" + "00" * 15
