"""Bodies that are no JSON, for schemathesis: pictures and sound, whole, cut off, of impossible sizes, of another kind than they say."""

import struct
import zlib

import schemathesis
from hypothesis import strategies as st

# 0, the bounds, what lies beside them, and what no screen has.
SIDES = st.sampled_from([0, 1, 15, 16, 64, 2000, 2001, 65535, 2**24, 2**31 - 1, 2**32 - 1])
RATES = st.sampled_from([0, 1, 8000, 16000, 44100, 192000, 2**32 - 1])


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width, height):
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def jpeg(width, height):
    frame = struct.pack(">BHHB", 8, height & 0xFFFF, width & 0xFFFF, 1) + b"\x01\x11\x00"
    return b"\xff\xd8\xff\xe0\x00\x04ab" + b"\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"


def webp(width, height):
    canvas = b"\0\0\0\0" + struct.pack("<I", width & 0xFFFFFF)[:3] + struct.pack("<I", height & 0xFFFFFF)[:3]
    inner = b"WEBPVP8X" + struct.pack("<I", len(canvas)) + canvas
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def wav(form, channels, rate, bits, content):
    head = struct.pack("<HHIIHH", form, channels, rate, (rate * channels * bits // 8) & 0xFFFFFFFF, channels * bits // 8 & 0xFFFF, bits)
    inner = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(content)) + content
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def spoilt(whole):
    """Whole, cut off anywhere, or with some bytes that are otherwise."""
    cut = st.tuples(whole, st.integers(0, 200)).map(lambda it: it[0][: it[1]])
    bent = st.tuples(whole, st.integers(0, 60), st.binary(min_size=1, max_size=4)).map(lambda it: it[0][: it[1]] + it[2] + it[0][it[1] + len(it[2]) :])
    return st.one_of(whole, cut, bent, st.binary(max_size=64))


PICTURES = st.one_of(*(st.builds(kind, SIDES, SIDES) for kind in (png, jpeg, webp)))
SOUNDS = st.builds(wav, st.sampled_from([0, 1, 3, 6, 0xFFFE]), st.sampled_from([0, 1, 2, 255]), RATES, st.sampled_from([0, 8, 16, 24, 32, 64, 65535]), st.binary(max_size=400))

schemathesis.openapi.media_type("image/png", spoilt(PICTURES), aliases=["image/jpeg", "image/webp"])
schemathesis.openapi.media_type("audio/wav", spoilt(SOUNDS))
