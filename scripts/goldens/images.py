# SPDX-License-Identifier: Apache-2.0
"""scripts/goldens/images.py - PNG and JPEG decoding, bicubic resize, sizes and pixel values
as Pillow and HF have them.

What    image/*.png, *.jpg small inputs of every kind; image/decoded.safetensors: convert("RGB")
        of each; image/resize.safetensors: bicubic u8 results; image/smart_resize.json;
        image/pixel_values.safetensors.
Shapes  RGB [h,w,3] U8; pixel values [P,1176] F32 and grid [3]."""

import json
import struct
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps
from transformers.models.qwen2_vl.image_processing_qwen2_vl import (
    Qwen2VLImageProcessor,
    smart_resize,
)

from .base import require, rng, write_json, write_tensors
from .pictures import picture

RESIZES = [  # source, target height, width
    ("rgb.png", (28, 28)),
    ("rgb.png", (56, 84)),
    ("rgb.png", (13, 150)),
    ("rgb.png", (61, 47)),
    ("rgb.png", (47, 30)),
    ("rgb.png", (101, 61)),
    ("rgb.png", (47, 61)),
    ("rgb.png", (94, 61)),
    ("rgb.png", (1, 1)),
    ("rgb.png", (5, 3)),
    ("noise.png", (28, 56)),
    ("noise.png", (33, 31)),
    ("noise.png", (9, 140)),
]


def png_rgb16(path, values):
    """A 16-bit RGB PNG: Pillow cannot write one. values [h,w,3] 0..65535."""
    height, width, _ = values.shape

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    lines = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + body)


def random_u8(name, *shape):
    return (
        torch.randint(0, 256, shape, generator=rng(name), dtype=torch.int64)
        .numpy()
        .astype(np.uint8)
    )


def write_inputs(folder):
    folder.mkdir(parents=True, exist_ok=True)
    rgb = Image.fromarray(picture("rgb", 47, 61))
    rgb.save(folder / "rgb.png", optimize=True)
    extremes = np.where(random_u8("noise", 31, 33, 3) < 128, 0, 255).astype(np.uint8)
    Image.fromarray(extremes).save(folder / "noise.png", optimize=True)
    rgb.convert("L").save(folder / "grey.png", optimize=True)
    rgb.convert("L").point(lambda v: 255 * (v > 127)).convert("1").save(folder / "grey_1bit.png")
    palette = rgb.quantize(colors=13, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(folder / "palette_4bit.png")
    palette = rgb.quantize(colors=90, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    palette.save(folder / "palette_transparent.png", transparency=3)
    rgba = rgb.copy()
    rgba.putalpha(Image.fromarray(random_u8("alpha", 47, 61)))
    rgba.save(folder / "rgba.png", optimize=True)
    rgba.convert("LA").save(folder / "grey_alpha.png", optimize=True)
    wide = picture("rgb16", 12, 17).astype(np.int64) * 257 + random_u8("low byte", 12, 17, 3) - 128
    png_rgb16(folder / "rgb_16bit.png", np.clip(wide, 0, 65535))
    photo = Image.fromarray(picture("jpeg", 45, 70))
    photo.save(folder / "jpeg_420.jpg", quality=85, subsampling=2)
    photo.save(folder / "jpeg_444_progressive.jpg", quality=90, subsampling=0, progressive=True)
    photo.save(folder / "jpeg_422.jpg", quality=70, subsampling=1)
    photo.convert("L").save(folder / "jpeg_grey.jpg", quality=80)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees
    photo.save(folder / "jpeg_exif_turned.jpg", quality=85, subsampling=2, exif=exif)


def decoded(folder):
    out = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in (".png", ".jpg"):
            continue
        image = Image.open(path)
        out[path.name] = np.asarray(image.convert("RGB"))
        turned = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
        if turned.shape != out[path.name].shape:
            out[path.name + ".exif_applied"] = turned
    require(len(out) == 15, f"{len(out)} decoded images")
    return out


def resized(folder):
    out = {}
    for name, (height, width) in RESIZES:
        image = Image.open(folder / name).convert("RGB")
        out[f"{name}.{height}x{width}"] = np.asarray(
            image.resize((width, height), Image.Resampling.BICUBIC)
        )
    return out


def smart_resize_rows():
    """The vectors of the specification, sizes on both sides of each rounding, and refusals."""
    limits = [(3136, 12845056), (3136, 1003520), (3136, 78400), (50176, 200704)]
    sizes = [
        (480, 640),
        (1080, 1920),
        (70, 70),
        (98, 126),
        (42, 70),
        (13, 200),
        (10, 1990),
        (375, 1242),
        (333, 500),
    ]
    sizes += [
        (4000, 6000),
        (7000, 7000),
        (28, 28),
        (1, 1),
        (2, 399),
        (14, 14),
        (15, 13),
        (56, 56),
        (55, 57),
        (97, 99),
    ]
    sizes += [
        (1, 200),
        (1, 201),
        (201, 1),
        (20, 4000),
        (20, 4001),
        (280, 280),
        (281, 280),
        (224, 224),
        (3000, 17),
    ]
    drawn = torch.randint(1, 1200, (30, 2), generator=rng("sizes")).tolist()
    rows = []
    for low, high in limits:
        for h, w in sizes + [tuple(d) for d in drawn]:
            row = {"h": h, "w": w, "min_pixels": low, "max_pixels": high}
            try:
                out = smart_resize(h, w, factor=28, min_pixels=low, max_pixels=high)
                row |= {"out_h": int(out[0]), "out_w": int(out[1])}
            except ValueError:
                row |= {"error": True}
            rows.append(row)
    require(any("error" in r for r in rows), "no size is refused")
    return rows


def pixel_values(folder, config):
    processor = Qwen2VLImageProcessor(
        **{k: v for k, v in config.items() if not k.endswith("_type")}
    )
    name = "rgb.png"
    made = processor(images=[Image.open(folder / name)], return_tensors="np")
    return {
        name + ".pixel_values": made["pixel_values"],
        name + ".grid_thw": made["image_grid_thw"][0],
    }


def make(out, preprocessor_file):
    folder = out / "image"
    write_inputs(folder)
    write_tensors(folder / "decoded.safetensors", decoded(folder))
    write_tensors(folder / "resize.safetensors", resized(folder))
    write_json(folder / "smart_resize.json", smart_resize_rows())
    config = json.loads(preprocessor_file.read_text())
    write_tensors(folder / "pixel_values.safetensors", pixel_values(folder, config))
