"""Writes ../Fixtures.swift: small files made by NumPy, safetensors and zlib, as base64 literals.

Run it with a Python that has numpy and safetensors 0.8:  python make_fixtures.py
"""
import base64, gzip, io, pathlib, struct, textwrap, zipfile, zlib
import numpy as np
import safetensors

fixtures = {}


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version, allow_pickle=True)
    return stream.getvalue()


ramp = np.array([[0, 1, 2], [3, 4, 5]])
types = {"bool": "?", "uint8": "u1", "int8": "i1", "int16": "i2", "int32": "i4", "int64": "i8", "float16": "f2",
         "float32": "f4", "float64": "f8"}
for name, code in types.items():
    fixtures[f"npy_{name}"] = npy(ramp.astype(code))
fixtures["npy_fortran"] = npy(np.asfortranarray(np.arange(24, dtype="f4").reshape(2, 3, 4)))
fixtures["npy_big_endian"] = npy(ramp.astype(">f8"))
fixtures["npy_version2"] = npy(ramp.astype("f4"), (2, 0))
fixtures["npy_version3"] = npy(ramp.astype("f4"), (3, 0))
fixtures["npy_uint16"] = npy((ramp + 65530).astype("u2"))
fixtures["npy_uint32"] = npy((ramp + 4294967290).astype("u4"))
fixtures["npy_uint64"] = npy(ramp.astype("u8"))
fixtures["npy_uint64_large"] = npy((ramp.astype("u8") + np.uint64(1 << 63)))
fixtures["npy_scalar"] = npy(np.array(2.5))
fixtures["npy_empty"] = npy(np.zeros((0, 3), "f4"))
fixtures["npy_object"] = npy(np.array([{}, None]))
fixtures["npy_text"] = npy(np.array(["a", "bc"]))
fixtures["npy_fields"] = npy(np.zeros(2, [("x", "f4"), ("y", "i4")]))
fixtures["npy_complex"] = npy(np.zeros(2, "c8"))

for name, save in {"npz_stored": np.savez, "npz_deflated": np.savez_compressed}.items():
    stream = io.BytesIO()
    save(stream, x=np.arange(40, dtype="f4").reshape(5, 8), y=np.array([3, 1, 2]))
    fixtures[name] = stream.getvalue()
stream = io.BytesIO()
with zipfile.ZipFile(stream, "w") as archive:
    archive.writestr("notes.txt", "no array")
fixtures["zip_other"] = stream.getvalue()

arrays = {name: ramp.astype(code) for name, code in types.items()}
arrays["bfloat16"] = (ramp.astype("<f4").view("<u4") >> 16).astype("<u2")
arrays["none"] = np.zeros((0, 4), "f4")
tensors = {
    name: safetensors.TensorSpec(
        dtype=name if name in types or name == "bfloat16" else "float32", shape=list(array.shape),
        data_ptr=array.ctypes.data, data_len=array.nbytes)
    for name, array in arrays.items()
}
fixtures["safetensors"] = bytes(safetensors.serialize(tensors, {"format": "pt", "note": 'a "quoted" \\ é'}))


def deflated(data, level, strategy):
    stream = zlib.compressobj(level, zlib.DEFLATED, -15, 9, strategy)
    return stream.compress(data) + stream.flush()


# The same text the tests make: words drawn by a linear congruential generator.
state, words = 1, []
for _ in range(700):
    state = (state * 1103515245 + 12345) % (1 << 31)
    words.append(["descent", "gradient", "of", "a", "loss", str(state % 1000)][state >> 16 & 7 if state >> 16 & 7 < 6 else 5])
text = " ".join(words).encode()
fixtures["deflate_stored"] = deflated(text[:600], 0, zlib.Z_DEFAULT_STRATEGY)
fixtures["deflate_fixed"] = deflated(text, 9, zlib.Z_FIXED)
fixtures["deflate_dynamic"] = deflated(text, 9, zlib.Z_DEFAULT_STRATEGY)
fixtures["deflate_huffman"] = deflated(text, 9, zlib.Z_HUFFMAN_ONLY)
fixtures["deflate_runs"] = deflated(b"a" * 100_000 + b"ab" * 5000 + b"abc" * 3000, 9, zlib.Z_DEFAULT_STRATEGY)

idx = struct.pack(">BBBBII", 0, 0, 8, 2, 2, 3) + bytes([1, 2, 3, 250, 251, 252])
fixtures["idx"] = idx
fixtures["idx_gzip"] = gzip.compress(idx[:9], mtime=0) + gzip.compress(idx[9:], mtime=0)
named = io.BytesIO()
with gzip.GzipFile("images-idx2-ubyte", "wb", fileobj=named, mtime=0) as stream:
    stream.write(idx)
fixtures["idx_gzip_named"] = named.getvalue()
fixtures["idx_int16"] = struct.pack(">BBBBI", 0, 0, 0x0B, 1, 3) + struct.pack(">hhh", -2, 0, 300)

lines = ["import Foundation", "", "/// Small files written by NumPy, safetensors and zlib; made by Generate/make_fixtures.py.",
         "enum Fixtures {", "    static func bytes(_ name: String) -> [UInt8] {",
         "        [UInt8](Data(base64Encoded: texts[name]!.filter { $0 != \"\\n\" })!)", "    }", "",
         "    static let names = texts.keys.sorted()", "", "    private static let texts: [String: String] = ["]
for name, data in fixtures.items():
    lines.append(f'        "{name}": """')
    lines += textwrap.wrap(base64.b64encode(data).decode(), 100, initial_indent=" " * 12, subsequent_indent=" " * 12)
    lines.append('            """,')
lines += ["    ]", "}", ""]
pathlib.Path(__file__).with_name("..").resolve().joinpath("Fixtures.swift").write_text("\n".join(lines))
