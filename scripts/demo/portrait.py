# SPDX-License-Identifier: Apache-2.0
"""Portraits drawn with integers, and a PNG writer whose bytes do not depend on a library version.

What:   portrait(traits, view) -> 112 x 112 RGB bytes; png(rgb) -> a PNG file; random_view(rng).
Shapes: traits is a tuple of 8 indexes (world.TRAITS); a view is (dx, dy, scale in 1/256, mirror, (tint r, g, b)).
Cost:   about 1.2 ms per portrait.
"""
import struct
import zlib
from math import isqrt

SIDE = 112
CENTRE = 56
PLAIN_VIEW = (0, 0, 256, 0, (0, 0, 0))

SKIN = [(246, 214, 190), (216, 160, 104), (150, 92, 56), (78, 48, 34)]
HAIR = [(22, 22, 26), (242, 214, 84), (214, 88, 24), (232, 234, 240), (40, 84, 224)]
SHIRT = [(206, 36, 40), (36, 150, 60), (24, 40, 110), (240, 210, 40), (130, 50, 160), (244, 244, 244)]
BACKGROUND = [(130, 190, 240), (226, 200, 146), (146, 224, 180), (244, 166, 190), (104, 112, 124)]
LIGHT_SHIRTS = (3, 5)  # yellow and white: their pattern is drawn dark
INK = (10, 10, 10)


def random_view(rng):
    return (rng.between(-6, 6), rng.between(-6, 6), rng.between(236, 276), rng.below(2),
            tuple(rng.between(-16, 16) for _ in range(3)))


class Canvas:
    """Rows of RGB bytes; shapes are given in unshifted coordinates and drawn as horizontal spans."""

    def __init__(self, dx, dy, scale):
        self.rows = [bytearray(3 * SIDE) for _ in range(SIDE)]
        self.dx, self.dy, self.scale = dx, dy, scale

    def x(self, v):
        return CENTRE + self.dx + (((v - CENTRE) * self.scale) >> 8)

    def y(self, v):
        return CENTRE + self.dy + (((v - CENTRE) * self.scale) >> 8)

    def length(self, v):
        return (v * self.scale) >> 8

    def span(self, y, x0, x1, colour):
        x0, x1 = max(0, x0), min(SIDE - 1, x1)
        if 0 <= y < SIDE and x1 >= x0:
            self.rows[y][3 * x0:3 * x1 + 3] = bytes(colour) * (x1 - x0 + 1)

    def rect(self, x0, y0, x1, y1, colour):
        for y in range(self.y(y0), self.y(y1) + 1):
            self.span(y, self.x(x0), self.x(x1), colour)

    def ellipse(self, cx, cy, rx, ry, colour, top=0, bottom=SIDE):
        cx, cy, top, bottom = self.x(cx), self.y(cy), self.y(top), self.y(bottom)
        rx, ry = max(1, self.length(rx)), max(1, self.length(ry))
        for y in range(max(cy - ry, top), min(cy + ry, bottom) + 1):
            half = isqrt(rx * rx * (ry * ry - (y - cy) ** 2)) // ry
            self.span(y, cx - half, cx + half, colour)

    def triangle(self, cx, top, base, half, colour):
        cx, top, base, half = self.x(cx), self.y(top), self.y(base), self.length(half)
        for y in range(top, base + 1):
            width = half * (y - top) // max(1, base - top)
            self.span(y, cx - width, cx + width, colour)


def _draw_behind_head(c, style, hair):
    if style == 1:
        c.rect(27, 36, 85, 88, hair)
    elif style == 2:
        c.ellipse(56, 12, 12, 11, hair)
    elif style == 3:
        for cx in (34, 45, 56, 67, 78):
            c.triangle(cx, 4, 36, 7, hair)


def _draw_shirt(c, colour_index, pattern):
    c.ellipse(56, 124, 50, 40, SHIRT[colour_index])
    mark = (20, 20, 20) if colour_index in LIGHT_SHIRTS else (250, 250, 250)
    if pattern == 1:
        for y in (92, 100, 108, 116):
            c.rect(24, y, 88, y + 3, mark)
    elif pattern == 2:
        for i, x in enumerate((26, 40, 54, 68, 82)):
            for y in (93, 106):
                c.ellipse(x + (y & 1) * 4, y + (i & 1) * 3, 4, 4, mark)
    elif pattern == 3:
        for x in (26, 42, 58, 74):
            c.rect(x, 92, x + 7, 99, mark)
            c.rect(x + 8, 100, x + 15, 107, mark)


def _draw_head(c, style, hair, skin):
    c.rect(48, 72, 64, 90, skin)
    c.ellipse(56, 50, 23, 28, skin)
    c.ellipse(56, 38, 25, 20, hair, 0, 33)
    if style == 0:
        c.rect(31, 32, 35, 46, hair)
        c.rect(77, 32, 81, 46, hair)
    elif style == 1:
        c.rect(28, 32, 35, 88, hair)
        c.rect(77, 32, 84, 88, hair)


def _draw_extra(c, extra):
    if extra == 3:
        c.rect(32, 28, 80, 34, (230, 30, 120))
    elif extra == 1:
        c.ellipse(56, 66, 20, 15, (60, 40, 20), 62, 84)
    elif extra == 2:
        c.rect(38, 78, 74, 90, (250, 130, 20))
        c.rect(62, 88, 72, 108, (250, 130, 20))


def _draw_glasses(c, glasses, skin):
    if glasses == 1:
        for cx in (46, 66):
            c.ellipse(cx, 48, 10, 10, INK)
            c.ellipse(cx, 48, 7, 7, (250, 250, 255))
            c.rect(cx - 2, 47, cx + 2, 50, INK)
    elif glasses == 2:
        for cx in (46, 66):
            c.rect(cx - 10, 40, cx + 9, 56, (200, 20, 20))
            c.rect(cx - 7, 43, cx + 6, 53, skin)
            c.rect(cx - 2, 47, cx + 2, 50, INK)
    elif glasses == 3:
        c.rect(33, 42, 79, 55, INK)


def portrait(traits, view):
    dx, dy, scale, mirror, tint = view
    skin_i, hair_i, style, glasses, extra, shirt_i, pattern, back_i = traits
    c = Canvas(dx, dy, scale)
    skin, hair = SKIN[skin_i], HAIR[hair_i]
    back = tuple(min(255, max(0, v + t)) for v, t in zip(BACKGROUND[back_i], tint))
    for y in range(SIDE):
        c.span(y, 0, SIDE - 1, back)
    _draw_behind_head(c, style, hair)
    _draw_shirt(c, shirt_i, pattern)
    _draw_head(c, style, hair, skin)
    _draw_extra(c, extra)
    c.rect(49, 67, 63, 69, (170, 40, 50))
    c.rect(44, 47, 49, 50, (15, 15, 15))
    c.rect(63, 47, 68, 50, (15, 15, 15))
    c.rect(55, 52, 57, 58, tuple(v * 3 // 4 for v in skin))
    _draw_glasses(c, glasses, skin)
    # A pocket on one side: without it a mirrored portrait would be the same portrait.
    c.rect(70, 100, 78, 106, tuple(v // 2 for v in SHIRT[shirt_i]))
    rows = c.rows
    if mirror:
        rows = [b"".join(bytes(r[3 * x:3 * x + 3]) for x in range(SIDE - 1, -1, -1)) for r in rows]
    return b"".join(bytes(r) for r in rows)


# ---- PNG: deflate with the fixed code and two match distances (left pixel, row above). ----
# Compressed bytes of zlib differ between its versions and forks; the file name is the hash of the file.
ROW = 3 * SIDE + 1
DISTANCES = (ROW, 3)
LENGTH_BASE = (3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163,
               195, 227, 258)
LENGTH_BITS = (0,) * 8 + (1,) * 4 + (2,) * 4 + (3,) * 4 + (4,) * 4 + (5,) * 4 + (0,)
DISTANCE_CODE = {3: (2, 0, 0), ROW: (16, 7, ROW - 257)}  # distance -> code, extra bits, extra value


class BitWriter:
    def __init__(self):
        self.value, self.count, self.out = 0, 0, bytearray()

    def put(self, value, bits):
        self.value |= value << self.count
        self.count += bits
        while self.count >= 8:
            self.out.append(self.value & 255)
            self.value >>= 8
            self.count -= 8

    def put_code(self, code, bits):
        """Huffman codes go most significant bit first."""
        self.put(int(format(code, "0%db" % bits)[::-1], 2), bits)

    def put_symbol(self, s):
        if s < 144:
            self.put_code(48 + s, 8)
        elif s < 256:
            self.put_code(400 + s - 144, 9)
        elif s < 280:
            self.put_code(s - 256, 7)
        else:
            self.put_code(192 + s - 280, 8)

    def finish(self):
        if self.count:
            self.put(0, 8 - self.count)
        return bytes(self.out)


def _match(data, at, gap):
    if at < gap:
        return 0
    n, limit = 0, min(258, len(data) - at)
    while n < limit and data[at + n] == data[at + n - gap]:
        n += 1
    return n


def deflate(data):
    w = BitWriter()
    w.put(1, 1)  # last block
    w.put(1, 2)  # fixed code
    at = 0
    while at < len(data):
        n, gap = max((_match(data, at, gap), gap) for gap in DISTANCES)
        if n < 3:
            w.put_symbol(data[at])
            at += 1
            continue
        k = max(i for i, base in enumerate(LENGTH_BASE) if base <= n)
        w.put_symbol(257 + k)
        w.put(n - LENGTH_BASE[k], LENGTH_BITS[k])
        code, bits, extra = DISTANCE_CODE[gap]
        w.put_code(code, 5)
        w.put(extra, bits)
        at += n
    w.put_symbol(256)
    return w.finish()


def png(rgb):
    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
    raw = b"".join(b"\0" + rgb[3 * SIDE * y:3 * SIDE * (y + 1)] for y in range(SIDE))
    stream = b"\x78\x01" + deflate(raw) + struct.pack(">I", zlib.adler32(raw))
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", stream) + chunk(b"IEND", b"")
