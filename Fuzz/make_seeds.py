#!/usr/bin/env python3
"""Writes small valid inputs for every harness, each in a folder of the harness's name, with nothing but Python."""
import gzip
import io
import json
import pathlib
import struct
import sys
import zipfile
import zlib

folder = pathlib.Path(sys.argv[1])


def seed(harness, name, content):
    (folder / harness).mkdir(parents=True, exist_ok=True)
    (folder / harness / name).write_bytes(content)


def deflated(content, level=9, strategy=zlib.Z_DEFAULT_STRATEGY):
    stream = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return stream.compress(content) + stream.flush()


def chunk(content):
    return struct.pack(">H", len(content)) + content


def npy_header(descr, order, shape):
    return f"{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n".encode()


def npy(descr, order, shape, size, version=1):
    header = npy_header(descr, order, shape)
    header = header[:-1] + b" " * (-(len(header) + 10) % 64) + b"\n"
    count = size
    for dimension in shape:
        count *= dimension
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes([version, 0]) + length + header + bytes(i % 127 for i in range(count))


TYPES = [("|b1", 1), ("|u1", 1), ("|i1", 1), ("<i2", 2), (">i4", 4), ("<i8", 8), ("<f2", 2), (">f4", 4), ("<f8", 8),
         ("<u2", 2), ("<u4", 4), (">u8", 8)]
for number, (descr, size) in enumerate(TYPES):
    shape = [(2, 3), (4,), (), (2, 3, 2), (0, 3)][number % 5]
    order = number % 3 == 0
    seed("npy", f"file{number}", b"\0" + npy(descr, order, shape, size, 1 + number % 3))
    seed("npy", f"header{number}", bytes([1 + number % 3]) + npy_header(descr, order, shape))
seed("npy", "long", b"\1{'descr': '<f8', 'fortran_order': True, 'shape': (3L, 1L, 2L)}")
seed("npy", "fields", b"\1{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (3,)}")

for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
    for force in (False, True):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for name in ("x", "labels"):
                with archive.open(name + ".npy", "w", force_zip64=force) as entry:
                    entry.write(npy("<f4", False, (2, 2), 4))
            archive.comment = b"note" if force else b""
        seed("npz", f"file{method}{force}", b"\0" + file.getvalue())
headers = [chunk(npy_header("<f4", False, (2, 2))), chunk(npy_header("<i8", True, (1, 2)))]
seed("npz", "stored", b"\1\2" + headers[0] + b"\x12" + headers[1])
files = [chunk(deflated(npy("<f4", False, (8,), 4))), chunk(npy("|u1", True, (2, 2), 1))]
seed("npz", "deflated", b"\1\1" + files[0] + b"\x10" + files[1])

text = b"descent of a gradient, descent of a loss, descent " * 12
noise = bytes((i * i * 31 + i // 7) % 256 for i in range(400))
STREAMS = {
    "stored": deflated(noise, 0), "fixed": deflated(text, 9, zlib.Z_FIXED), "dynamic": deflated(text + noise),
    "literals": deflated(text, 9, zlib.Z_HUFFMAN_ONLY), "runs": deflated(bytes(3000), 9, zlib.Z_RLE),
    "far": deflated(noise[:300] + bytes(9000) + noise[:300]), "empty": deflated(b""),
}
joint = zlib.compressobj(9, zlib.DEFLATED, -15)
STREAMS["flushed"] = joint.compress(text) + joint.flush(zlib.Z_FULL_FLUSH) + joint.compress(noise) + joint.flush()
for number, (name, stream) in enumerate(STREAMS.items()):
    seed("inflate", name, bytes([number]) + stream)
    seed("gzip", "frame-" + name, b"\1\0" + chunk(stream) + b"\0" + chunk(STREAMS["fixed"]))
seed("gzip", "plain", b"\0" + gzip.compress(text, 9, mtime=0))
seed("gzip", "two", b"\0" + gzip.compress(b"a", 9, mtime=0) + gzip.compress(text, 1, mtime=0) + bytes(20))
seed("gzip", "named", b"\0\x1f\x8b\x08\x1e\0\0\0\0\0\3\2\0xxname\0comment\0ab" + gzip.compress(b"abc", mtime=0)[10:])

for code, size in ((8, 1), (9, 1), (0xB, 2), (0xC, 4), (0xD, 4), (0xE, 8)):
    file = bytes([0, 0, code, 2]) + struct.pack(">II", 2, 3) + bytes(range(6 * size))
    seed("idx", f"file{code}", b"\0" + file)
    seed("idx", f"filled{code}", b"\5" + bytes([code, 2, 3, 9]))
    seed("idx", f"gzip{code}", b"\0" + gzip.compress(file, mtime=0))

header = {"__metadata__": {"format": "pt", "quoted\"": "a\\b\n\u00e9\U0001f600"}}
offset = 0
for type, size in (("BOOL", 1), ("U8", 1), ("I8", 1), ("I16", 2), ("F16", 2), ("BF16", 2), ("I32", 4), ("F32", 4),
                   ("I64", 8), ("F64", 8)):
    header[f"layer.{type}"] = {"dtype": type, "shape": [2, 1], "data_offsets": [offset, offset + 2 * size]}
    offset += 2 * size
    one = json.dumps({"w": {"dtype": type, "shape": [], "data_offsets": [0, size]}}).encode()
    seed("safetensors", f"one{type}", b"\0" + struct.pack("<Q", len(one)) + one + bytes(size))
whole = json.dumps(header).encode()
seed("safetensors", "whole", b"\0" + struct.pack("<Q", len(whole)) + whole + bytes(offset))
seed("safetensors", "header", b"\1" + whole)
seed("safetensors", "empty", b"\1{}")

TABLES = [
    b"a,b,label\n1,2.5,x\n-3,,y\n4e5,nan,\"z, \"\"q\"\"\"\n", b"1;2\r\n3;4\r\n\r\n5;?\r\n", b"x\ty\n1\t2\n",
    b"name|v\n\"a\nb\"|inf\n  c |-Infinity\n", b"1.5\n2.25\n", b"\xef\xbb\xbfa,b\n1,2\n", b"1 2 3\n4 5 6\n",
    b",,\n,,\n",
    b"\"\"\n\"x\"\n", b"a,b\r1,2\r3,4", gzip.compress(b"a,b\n1,2\n", mtime=0),
]
for number, table in enumerate(TABLES):
    for steering in (0, 2, 3):
        seed("csv", f"table{number}-{steering}", bytes([steering]) + table)
    for separator in b", ;":
        seed("csv", f"table{number}-by{separator}", bytes([4, separator]) + table)

for number, value in enumerate(["0", "-1.5", "6.02e23", ".5", "5.", "1e-310", "123456789012345678901234567890", "1e400",
                                "9007199254740993", "0.1e-5", "4.9e-324", "1.7976931348623159e308", "-0.0",
                                "000000000000000000000000001.5", "2.2250738585072011e-308"]):
    seed("decimal", f"number{number}", value.encode())
