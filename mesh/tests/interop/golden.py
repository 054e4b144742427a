#!/usr/bin/env python3
"""Writes golden.txt: packets as scapy's independent encoder of STAMP makes them (scapy.contrib.stamp).

    apt-get install python3-scapy && tests/interop/golden.py >tests/interop/golden.txt

Each line is a kind, its fields and the bytes; `golden.rs` reads and writes the same packets.
"""

import sys

from scapy.contrib.stamp import (
    ErrorEstimate,
    STAMPSessionReflectorTestUnauthenticated as Reflector,
    STAMPSessionSenderTestUnauthenticated as Sender,
    STAMPTestTLV as Tlv,
)
from scapy.fields import EDecimal


def ntp(raw):
    """A raw 64-bit stamp as scapy wants it: seconds, with all 32 bits of their fractions."""
    return EDecimal(raw >> 32) + EDecimal(raw & 0xFFFFFFFF) / EDecimal(1 << 32)


def estimate(s, z, scale, multiplier):
    return ErrorEstimate(S=s, Z=z, scale=scale, multiplier=multiplier)


def tlvs(items):
    return [Tlv(flags=flags, type=kind, len=len(value), value=value) for flags, kind, value in items]


def show(kind, packet, **fields):
    said = " ".join(f"{name}={value:x}" for name, value in fields.items())
    print(kind, said, "bytes=" + bytes(packet).hex())


PADDING = (0x80, 1, b"\x00" * 5)
FOLLOW_UP = (0x00, 7, bytes(range(16)))
UNKNOWN = (0x80, 245, b"sextant")

print("# scapy", __import__("scapy").__version__, "by golden.py; numbers are hexadecimal")
for seq, raw, err, ssid, items in [
    (0, 0, (0, 0, 0, 1), 0, []),
    (1, 0xE4B2F1A38F5C2800, (1, 0, 15, 132), 7, []),
    (0xFFFFFFFF, 0xFFFFFFFFC0000000, (0, 0, 63, 255), 0xFFFF, [PADDING]),
    (77, 0x0000000140000000, (1, 0, 1, 2), 0x1234, [PADDING, UNKNOWN]),
]:
    packet = Sender(seq=seq, ts=ntp(raw), err_estimate=estimate(*err), ssid=ssid, tlv_objects=tlvs(items))
    show("request", packet, sequence=seq, stamp=raw, s=err[0], z=err[1], scale=err[2], multiplier=err[3], ssid=ssid,
         extensions=len(items))

for seq, t3, err, ssid, t2, sender_seq, t1, sender_err, ttl, items in [
    (0, 0x100000000, (0, 0, 0, 1), 0, 0, 0, 0, (0, 0, 0, 1), 255, []),
    (9, 0xE4B2F1A390000000, (1, 0, 15, 132), 7, 0xE4B2F1A388000000, 11, 0xE4B2F1A380000000, (1, 0, 14, 200), 61, []),
    (3, 0x0000000040000000, (1, 0, 2, 3), 7, 0xFFFFFFFFC0000000, 5, 0xFFFFFFFF80000000, (0, 0, 63, 255), 1,
     [FOLLOW_UP, UNKNOWN]),
]:
    packet = Reflector(seq=seq, ts=ntp(t3), err_estimate=estimate(*err), ssid=ssid, ts_rx=ntp(t2), seq_sender=sender_seq,
                       ts_sender=ntp(t1), err_estimate_sender=estimate(*sender_err), ttl_sender=ttl,
                       tlv_objects=tlvs(items))
    show("answer", packet, sequence=seq, stamp=t3, s=err[0], z=err[1], scale=err[2], multiplier=err[3], ssid=ssid,
         reached=t2, sender_sequence=sender_seq, sender_stamp=t1, sender_s=sender_err[0], sender_scale=sender_err[2],
         sender_multiplier=sender_err[3], ttl=ttl, extensions=len(items))
sys.stdout.flush()
