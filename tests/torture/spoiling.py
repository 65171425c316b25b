"""Files with one or a few things wrong: which, and how, is read from the fuzzer's bytes."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

# What stands in place of a value: other kinds, ends of ranges, long and deep ones, other folders.
VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 7, 255, 2**31, -(2**63), 2**64, 10**30, 10**400,
    0.0, -0.0, 0.5, 1e-320, 1e308, float("inf"), float("-inf"), float("nan"),
    "", " ", "a", "max", "all", "../../etc/passwd", "/etc/passwd", "a\0b", "x" * 300, "\n\x1b[2J",
    "\ud800", "<script>", "1" * 5000, [], [[]], [0], [None], [1.0, 2.0], ["a"], ["a"] * 1000, {},
    {"a": 1}, {"a": {"b": []}},
)  # fmt: skip
DTYPES = ("<f4", "<f8", "<f2", "<i8", "<i4", "<u1", "<U5", "S3", "?", "<c8", "<M8[s]", ">f8")


class Draw:
    """Choices read from bytes; zeros where they end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def number(self, below: int) -> int:
        """One of 0 .. below - 1."""
        width = 1 if below <= 256 else 2
        piece = self.data[self.at : self.at + width]
        self.at += width
        return int.from_bytes(piece, "big") % max(below, 1)

    def left(self) -> bytes:
        """What has not been read."""
        return self.data[self.at :]


def spoiled(document: Any, draw: Draw) -> Any:
    """A JSON-like document with up to four of its values removed, doubled or exchanged."""
    whole = {"": copy.deepcopy(document)}
    for _ in range(1 + draw.number(4)):
        holder: Any = whole
        key: Any = ""
        while isinstance(holder[key], dict | list) and len(holder[key]) and draw.number(4):
            holder = holder[key]
            keys = list(holder) if isinstance(holder, dict) else range(len(holder))
            key = keys[draw.number(len(keys))]
        _change(holder, key, draw)
        if "" not in whole:
            return None
    return whole[""]


def _change(holder: Any, key: Any, draw: Draw) -> None:
    way = draw.number(8)
    if way == 0:
        del holder[key]
    elif way == 1 and isinstance(holder, list):
        holder.insert(key, copy.deepcopy(holder[key]))
    elif way == 2 and isinstance(holder[key], str):
        holder[key] = holder[key] + str(VALUES[draw.number(len(VALUES))])
    else:
        holder[key] = copy.deepcopy(VALUES[draw.number(len(VALUES))])


def json_text(document: Any) -> bytes:
    """JSON, with what JSON has none of as Python writes it."""
    return json.dumps(document).encode(errors="surrogatepass")


def toml_text(values: Any) -> bytes:
    """TOML of plain values and tables; what it has none of becomes a text."""
    lines, tables = [], []
    for key, value in values.items() if isinstance(values, dict) else [("x", values)]:
        if isinstance(value, dict) and value:
            tables.append(f"[{json.dumps(str(key))}]\n" + toml_text(value).decode())
        else:
            lines.append(f"{json.dumps(str(key))} = {_toml_value(value)}")
    return "\n".join([*lines, *tables, ""]).encode()


def _toml_value(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml_value, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return str(value)
    return json.dumps(str(value)) if value != {} else "{}"


# --- arrays and archives ----------------------------------------------------------------------


def npz(members: Mapping[str, bytes]) -> bytes:
    """A zip archive of stored members, with right checksums."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def npy(array: np.ndarray) -> bytes:
    """The bytes of a `.npy`, pickles and all."""
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=True)
    return stream.getvalue()


def npy_claiming(header: str, content: bytes) -> bytes:
    """A `.npy` with a header of one's own."""
    text = header.encode("latin-1", "replace")
    text += b" " * (64 - (len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + (len(text) & 0xFFFF).to_bytes(2, "little") + text + content


def spoiled_array(array: np.ndarray, draw: Draw) -> bytes:
    """A `.npy` of other values, shape or dtype, or with a header that does not tell the truth."""
    way = draw.number(8)
    if way == 0:
        return npy(array.astype(array.dtype)[..., :0] if array.ndim else array[None])
    if way == 1 and array.dtype.kind == "f" and array.size:
        array = array.copy()
        array.reshape(-1)[draw.number(array.size)] = (np.nan, np.inf, -np.inf, 1e38)[draw.number(4)]
        return npy(array)
    if way == 2:
        kind = DTYPES[draw.number(len(DTYPES))]
        if array.dtype.kind == "U" or kind[-2:] in ("c8", "s]"):
            return npy(np.zeros(array.shape, kind))
        with np.errstate(all="ignore"):
            return npy(array.astype(kind))
    if way == 3:
        return npy(array[draw.number(max(len(array), 1)) :] if array.ndim else array[None])
    if way == 4:
        return npy(np.array([{}, print], dtype=object))
    if way == 5 and array.dtype.kind in "iu" and array.size:
        array = array.copy()
        largest = np.iinfo(array.dtype).max
        array.reshape(-1)[draw.number(array.size)] = (-1, 0, largest, largest // 2)[draw.number(4)]
        return npy(array)
    if way == 6:
        sizes = (0, 1, -1, 3, 2**20, 2**31, 2**40, 2**62)
        shape = tuple(sizes[draw.number(8)] for _ in range(draw.number(4)))
        kind = (*DTYPES, "<U0", "|V0", "|O", "|V8", "<U1000000000")[draw.number(17)]
        header = (
            f"{{'descr': {kind!r}, 'fortran_order': {draw.number(2) == 1}, 'shape': {shape}, }}"
        )
        return npy_claiming(header, bytes(draw.number(256)))
    whole = bytearray(npy(array))
    for _ in range(1 + draw.number(8)):
        whole[draw.number(min(len(whole), 128))] = draw.number(256)
    return bytes(whole)


def spoiled_npz(
    arrays: Mapping[str, np.ndarray], meta: Mapping[str, Any]
) -> Callable[[bytes], bytes]:
    """From the fuzzer's bytes to an archive of which an array or the meta is not as it was."""
    good = {f"{name}.npy": npy(array) for name, array in arrays.items()}

    def make(data: bytes) -> bytes:
        draw, members = Draw(data), dict(good)
        text = dict(meta)
        for _ in range(1 + draw.number(3)):
            if draw.number(2):
                text = spoiled(text, draw)
            elif members:
                name = sorted(members)[draw.number(len(members))]
                if draw.number(6) == 0:
                    del members[name]
                else:
                    members[name] = spoiled_array(arrays[name.removesuffix(".npy")], draw)
        members["meta.npy"] = npy(np.array(json_text(text).decode(errors="replace")))
        return npz(members)

    return make
