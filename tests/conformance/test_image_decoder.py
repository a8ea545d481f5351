"""ImageDecoder beyond ONNX's own cases: formats written here by hand, damaged files, bombs, and what is missing."""

from __future__ import annotations

import contextlib
import os
import random
import struct
import subprocess
import sys
import warnings
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skerry
from numpy.typing import NDArray
from onnx import TensorProto, helper

Pixels = NDArray[np.uint8]


@cache
def session_of(pixel_format: str = "RGB", max_memory_mb: float | None = None) -> skerry.Session:
    node = helper.make_node("ImageDecoder", ["data"], ["y"], name="decode", pixel_format=pixel_format)
    graph = helper.make_graph(
        [node],
        "decoder",
        [helper.make_tensor_value_info("data", TensorProto.UINT8, [None])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    made = skerry.loads(model.SerializeToString(), "decoder.onnx")
    assert isinstance(made, skerry.Model)
    return made.session(max_memory_mb=max_memory_mb)


def decoded(file: bytes, pixel_format: str = "RGB", max_memory_mb: float | None = None) -> Pixels:
    given = {"data": np.frombuffer(file, np.uint8)}
    found: Pixels = session_of(pixel_format, max_memory_mb).run(given)["y"]
    return found


@cache
def suite() -> dict[str, tuple[bytes, Pixels]]:
    """ONNX's files, with what Pillow makes of them."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cases = [case for case in collect_testcases(None) if "image_decoder" in case.name]
    assert len(cases) == 9
    return {case.name: (case.data_sets[0][0][0].tobytes(), case.data_sets[0][1][0]) for case in cases}


def picture(height: int, width: int) -> Pixels:
    return np.random.default_rng(height * width).integers(0, 256, (height, width, 3), np.uint8)


SIZES = [(1, 1), (5, 7), (8, 16), (3, 33)]


def bmp(
    bits: int, rows: Any, size: tuple[int, int], palette: bytes = b"", top_down: bool = False, **more: Any
) -> bytes:
    """rows: bytes of each row from the top, without filling."""
    height, width = size
    lines = [row + b"\0" * (-len(row) % 4) for row in rows]
    data: bytes = more.get("data", b"".join(lines if top_down else lines[::-1]))
    compression = more.get("compression", 0)
    masks: bytes = more.get("masks", b"")
    offset = 14 + 40 + len(masks) + len(palette)
    info = struct.pack(
        "<IiiHHIIiiII", 40, width, -height if top_down else height, 1, bits, compression, len(data), 0, 0, 0, 0
    )
    return struct.pack("<2sIHHI", b"BM", offset + len(data), 0, 0, offset) + info + masks + palette + data


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("top_down", [False, True])
def test_bitmaps_of_true_colours(size: tuple[int, int], top_down: bool) -> None:
    image = picture(*size)
    rows = [row[:, ::-1].tobytes() for row in image]
    np.testing.assert_array_equal(decoded(bmp(24, rows, size, top_down=top_down)), image)
    wide = [np.concatenate([row[:, ::-1], np.full((len(row), 1), 9, np.uint8)], 1).tobytes() for row in image]
    np.testing.assert_array_equal(decoded(bmp(32, wide, size, top_down=top_down)), image)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_bitmaps_with_a_palette(size: tuple[int, int], bits: int) -> None:
    colours = picture(1 << bits, 1)[:, 0]
    indices = np.random.default_rng(1).integers(0, 1 << bits, size)
    palette = b"".join(bytes([*colour[::-1], 0]) for colour in colours)
    rows = []
    for row in indices:
        digits = "".join(f"{index:0{bits}b}" for index in row)
        digits += "0" * (-len(digits) % 8)
        rows.append(bytes(int(digits[i : i + 8], 2) for i in range(0, len(digits), 8)))
    np.testing.assert_array_equal(decoded(bmp(bits, rows, size, palette)), colours[indices])


def test_bitmaps_of_sixteen_bits_are_widened() -> None:
    masks = struct.pack("<III", 0xF800, 0x07E0, 0x001F)
    parts = np.random.default_rng(1).integers(0, [32, 64, 32], (4, 6, 3))
    words = (parts[..., 0] << 11 | parts[..., 1] << 5 | parts[..., 2]).astype("<u2")
    found = decoded(bmp(16, [row.tobytes() for row in words], (4, 6), masks=masks, compression=3))
    np.testing.assert_array_equal(found, np.rint(parts * 255 / [31, 63, 31]).astype(np.uint8))


def test_bitmaps_of_run_lengths() -> None:
    colours = picture(256, 1)[:, 0]
    palette = b"".join(bytes([*colour[::-1], 0]) for colour in colours)
    data = bytes([3, 7, 0, 3, 1, 2, 3, 0, 0, 0, 6, 9, 0, 1])  # the lower row, then the upper
    expected = colours[np.array([[9] * 6, [7, 7, 7, 1, 2, 3]])]
    np.testing.assert_array_equal(decoded(bmp(8, [], (2, 6), palette, compression=1, data=data)), expected)
    four = bytes([5, 0x12, 0, 0, 0, 4, 0x34, 0x56, 0, 1])
    expected = colours[np.array([[3, 4, 5, 6, 0], [1, 2, 1, 2, 1]])]
    found = decoded(bmp(4, [], (2, 5), palette[: 16 * 4], compression=2, data=four))
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("size", SIZES)
def test_portable_maps_as_text_and_as_bytes(size: tuple[int, int]) -> None:
    height, width = size
    image = picture(height, width)
    grey = image[..., :1].repeat(3, 2)
    bits = image[..., 0] % 2
    black = np.where(bits[..., None] == 1, 0, 255).astype(np.uint8).repeat(3, 2)

    def text(values: Any, between: str = " ") -> bytes:
        return between.join(map(str, np.asarray(values).ravel().tolist())).encode()

    head = f"# a comment\n{width} # another\n{height}\n".encode()
    packed = np.packbits(bits, axis=1).tobytes()
    wide = (image.astype(np.uint16) * 257).astype(">u2").tobytes()
    for file, expected in [
        (b"P1\n" + head + text(bits, ""), black),
        (b"P2\n" + head + b"255\n" + text(image[..., 0]), grey),
        (b"P3\n" + head + b"255\n" + text(image, "\n"), image),
        (b"P4\n" + head + packed, black),
        (b"P5\n" + head + b"255\n" + image[..., 0].tobytes(), grey),
        (b"P6\n" + head + b"255\n" + image.tobytes(), image),
        (b"P6\n" + head + b"65535\n" + wide, image),
    ]:
        np.testing.assert_array_equal(decoded(file), expected)


def png(depth: int, colour: int, rows: Any, size: tuple[int, int], extra: bytes = b"") -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width = size
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_pngs_of_other_kinds_become_bytes_without_transparency() -> None:
    image = picture(6, 5)
    alpha = np.concatenate([image, image[..., :1]], 2)
    wide = (image.astype(np.uint16) << 8 | 3).astype(">u2")
    grey = image[..., :1].repeat(3, 2)
    for file, expected in [
        (png(8, 2, [row.tobytes() for row in image], (6, 5)), image),
        (png(8, 6, [row.tobytes() for row in alpha], (6, 5)), image),
        (png(16, 2, [row.tobytes() for row in wide], (6, 5)), image),
        (png(8, 0, [row[:, 0].tobytes() for row in image], (6, 5)), grey),
    ]:
        np.testing.assert_array_equal(decoded(file), expected)


def test_formats_of_pixels_are_the_same_picture() -> None:
    for file, _ in suite().values():
        rgb = decoded(file)
        np.testing.assert_array_equal(decoded(file, "BGR"), rgb[..., ::-1])
        weights = rgb.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
        np.testing.assert_array_equal(decoded(file, "Grayscale"), ((weights + 0x8000) >> 16)[..., None])


@pytest.mark.parametrize("pixel_format", ["RGB", "Grayscale"])
def test_what_is_no_image_has_no_rows(pixel_format: str) -> None:
    channels = 1 if pixel_format == "Grayscale" else 3
    for file in (b"", b"no image", b"BM", b"P6", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF\0\0\0\0WEBP", b"II*\0"):
        assert decoded(file, pixel_format).shape == (0, 0, channels)


def test_a_file_that_ends_too_early_has_no_rows() -> None:
    for name, (file, _) in suite().items():
        for length in range(0, len(file) // 2, 37):
            assert decoded(file[:length]).size == 0, (name, length)


def test_damaged_files_are_images_or_have_no_rows() -> None:
    dice = random.Random(5)
    for file, _ in suite().values():
        for _ in range(60):
            damaged = bytearray(file)
            for _ in range(dice.randrange(1, 6)):
                damaged[dice.randrange(len(damaged))] = dice.randrange(256)
            with contextlib.suppress(skerry.LimitExceeded, skerry.BudgetExceeded):  # an extent was hit
                assert decoded(bytes(damaged), max_memory_mb=200).shape[2] == 3


def bombs() -> dict[str, bytes]:
    rows = [b"\0" * 8]
    return {
        "png": png(8, 2, rows, (60000, 60000)),
        "bmp": bmp(24, rows, (60000, 60000)),
        "pnm": b"P6 60000 60000 255 ",
        "bmp runs": bmp(8, [], (60000, 60000), compression=1, data=bytes([0, 1])),
    }


@pytest.mark.parametrize("name", list(bombs()))
def test_a_small_file_of_too_many_pixels_is_refused_before_memory_is_taken(name: str) -> None:
    with pytest.raises(skerry.LimitExceeded, match=r"decode: an image of 60000 x 60000 pixels, more than 134217728"):
        decoded(bombs()[name])


def test_memory_is_charged_before_it_is_taken() -> None:
    file = b"P6 4000 4000 255 "
    with pytest.raises(skerry.BudgetExceeded):
        decoded(file, max_memory_mb=100)


def test_an_unknown_format_of_pixels_is_refused() -> None:
    with pytest.raises(skerry.TypeMismatch, match="decode: pixel_format is 'CMYK'"):
        session_of("CMYK")


def test_without_its_library_an_image_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "libskerry_images.so").write_bytes(b"no library")
    program = """
import numpy, skerry, tests.conformance.test_image_decoder as own
try:
    own.decoded(b"P6 1 1 255 abc")
except skerry.Unsupported as error:
    print(error)
"""
    environment = os.environ | {"SKERRY_PLUGIN_DIR": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "decode: images cannot be decoded" in done.stdout
    assert "libskerry_images.so" in done.stdout
