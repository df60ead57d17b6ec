"""Pictures that scout-tiny learns to see: coloured shapes and digits on a grid, drawn by integer rules.

A Scene says what is where; `draw` makes its pixels, and nothing but integers decides them, so that any language can draw the
same. A thing of side n covers the pixels of its n x n box for which, with u = 2 x + 1 - n and v = 2 y + 1 - n (x, y counted from
the box's upper left corner; u and v from -(n - 1) to n - 1):

    circle    u u + v v <= n n
    square    always
    triangle  2 |u| <= v + n
    cross     3 |u| <= n  or  3 |v| <= n
    ring      n n <= 4 (u u + v v) <= 4 n n
    moon      u u + v v <= n n  and  4 ((u - n / 2)^2 + v v) > 3 n n, with n / 2 rounded down
    0 .. 9    the glyph's bit at column 5 x / n, row 7 y / n, both rounded down

Pictures whose scenes hash to one in ten are held out, and so are a few (colour, shape) pairs altogether: see `held_scene`,
`held_pair`.
"""
from dataclasses import dataclass, field, replace
import functools
import zlib

import numpy as np

SHAPES = ("circle", "square", "triangle", "cross", "ring", "moon")
DIGITS = tuple("0123456789")
KINDS = SHAPES + DIGITS
COLOURS = {"red": (220, 30, 30), "blue": (40, 70, 225), "green": (30, 160, 50), "yellow": (250, 222, 40), "black": (16, 16, 16),
           "white": (244, 244, 244), "orange": (250, 140, 16), "purple": (136, 40, 170), "pink": (252, 160, 200)}
NAMES = tuple(COLOURS)
GROUNDS = ("white", "white", "black", "blue", "green", "yellow")
JITTER = 10  # of each channel, up and down

GLYPHS = {  # seven rows of five bits
    "0": (14, 17, 19, 21, 25, 17, 14), "1": (4, 12, 4, 4, 4, 4, 14), "2": (14, 17, 1, 2, 4, 8, 31), "3": (31, 2, 4, 2, 1, 17, 14),
    "4": (2, 6, 10, 18, 31, 2, 2), "5": (31, 16, 30, 1, 1, 17, 14), "6": (6, 8, 16, 30, 17, 17, 14), "7": (31, 1, 2, 4, 8, 8, 8),
    "8": (14, 17, 17, 14, 17, 17, 14), "9": (14, 17, 17, 15, 1, 2, 12)}


@dataclass(frozen=True)
class Thing:
    kind: str
    colour: str
    row: int      # of the scene's grid
    column: int
    x: int        # box, in pixels
    y: int
    side: int
    rgb: tuple

    @property
    def name(self):
        return f"{self.colour} {self.kind}"

    @property
    def digit(self):
        return self.kind in GLYPHS


@dataclass
class Scene:
    width: int
    height: int
    rows: int
    columns: int
    ground: str
    ground_rgb: tuple
    things: list = field(default_factory=list)  # in reading order

    def key(self):
        """What is in the picture, apart from sizes, exact places and shades."""
        return f"{self.rows}x{self.columns} {self.ground} " + ", ".join(f"{t.row}{t.column} {t.name}" for t in self.things)

    def at(self, row, column):
        return next((t for t in self.things if t.row == row and t.column == column), None)


def held_scene(scene):
    return zlib.crc32(scene.key().encode()) % 10 == 0


def held_pair(colour, kind):
    """A shape in a colour in which the training never shows it."""
    return kind in SHAPES and zlib.crc32(f"pair|{colour}|{kind}".encode()) % 16 == 0


@functools.lru_cache(None)
def stamp(kind, n):
    """The pixels of a thing of side n: [n, n] bool."""
    y, x = np.mgrid[0:n, 0:n]
    u, v = 2 * x + 1 - n, 2 * y + 1 - n
    if kind == "circle":
        return u * u + v * v <= n * n
    if kind == "square":
        return np.ones((n, n), bool)
    if kind == "triangle":
        return 2 * abs(u) <= v + n
    if kind == "cross":
        return (3 * abs(u) <= n) | (3 * abs(v) <= n)
    if kind == "ring":
        return (n * n <= 4 * (u * u + v * v)) & (u * u + v * v <= n * n)
    if kind == "moon":
        return (u * u + v * v <= n * n) & (4 * ((u - n // 2) ** 2 + v * v) > 3 * n * n)
    bits = np.array([[row >> (4 - c) & 1 for c in range(5)] for row in GLYPHS[kind]], bool)
    return bits[7 * y // n, 5 * x // n]


def draw(scene):
    """[height, width, 3] u8, and which thing each pixel shows: [height, width] i16, counted from 1, 0 the ground."""
    pixels = np.empty((scene.height, scene.width, 3), np.uint8)
    pixels[:] = scene.ground_rgb
    which = np.zeros((scene.height, scene.width), np.int16)
    for i, t in enumerate(scene.things):
        mask = stamp(t.kind, t.side)
        pixels[t.y:t.y + t.side, t.x:t.x + t.side][mask] = t.rgb
        which[t.y:t.y + t.side, t.x:t.x + t.side][mask] = i + 1
    return pixels, which


def shade(r, colour):
    return tuple(min(255, max(0, c + r.randint(-JITTER, JITTER))) for c in COLOURS[colour])


def size(r, tile, largest):
    """Mostly a tile's size exactly; else smaller (it is enlarged), or larger (several tiles), up to `largest` tiles a side."""
    x = r.random()
    if x < 0.55 or largest <= 1 and x > 0.8:
        return tile, tile
    if x < 0.8:
        w = r.randint(tile * 5 // 8, tile)
        return w, min(tile, max(tile * 5 // 8, w * r.randint(70, 140) // 100))
    w = r.randint(tile + 1, tile * largest)
    return w, min(tile * largest, max(tile, w * r.randint(60, 160) // 100))


def scene(r, tile, level=1.0, largest=1, pair=None):
    """A random scene. level 0 .. 1: from one or two things to six on a grid of 3 x 3; pair: a (colour, kind) that must be in it."""
    width, height = size(r, tile, largest)
    top = 2 + (level > 0.15)
    fits = lambda pixels: max(2, min(top, pixels // 22))
    if r.random() < 0.03:
        rows = columns = 1
    else:
        rows, columns = r.randint(1, fits(height)), r.randint(1, fits(width))
        if r.random() < 0.5:
            rows, columns = max(rows, 2), max(columns, 2)
    cells = [(y, x) for y in range(rows) for x in range(columns)]
    most = min(len(cells), 2 + round(4 * level))
    count = min(most, r.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 6)))
    ground = r.choice(GROUNDS)
    s = Scene(width, height, rows, columns, ground, shade(r, ground))
    few = r.random() < 0.35  # few kinds and colours: something to count
    kinds = r.sample(SHAPES, 2) if few else SHAPES
    colours = [c for c in NAMES if c != ground]
    colours = r.sample(colours, 3) if few else colours
    digits = 0.0 if r.random() < 0.6 else 0.6 if r.random() < 0.3 else 0.2
    for i, (row, column) in enumerate(sorted(r.sample(cells, count))):
        while True:
            kind = r.choice(DIGITS) if r.random() < digits else r.choice(kinds)
            colour = r.choice(colours)
            if not held_pair(colour, kind):
                break
        if pair and i == count // 2 and pair[0] != ground:
            colour, kind = pair
        x0, x1 = width * column // columns, width * (column + 1) // columns
        y0, y1 = height * row // rows, height * (row + 1) // rows
        room = min(x1 - x0, y1 - y0, max(24, min(width, height) // 2))
        side = room * r.randint(66, 92) // 100
        slack = lambda a, b: a + (b - a - side) // 2 + r.randint(-1, 1) * r.randint(0, min(b - a - side, room // 3) // 2)
        s.things.append(Thing(kind, colour, row, column, slack(x0, x1), slack(y0, y1), side, shade(r, colour)))
    return s


def draw_scene(r, tile, level=1.0, largest=1, held=False, pair=None):
    """One of the training's scenes, or of those held out."""
    while True:
        s = scene(r, tile, level, largest, pair)
        if held_scene(s) == held:
            return s


STEPS = ((0, -1), (0, 1), (-1, 0), (1, 0))  # rows and columns


def clip(r, tile, level=1.0, held=False):
    """(scenes of two to four frames, the thing that moves as it is in the first): one of up to three things goes a cell a frame, along
    its row or column, until the edge or another thing stops it."""
    while True:
        first = draw_scene(r, tile, min(level, 0.25), 1, held)
        wanted, things = r.randint(2, 4), first.things
        if r.random() < (0, 0, 0.5, 0.93)[len(things)]:  # they would mostly be three
            continue
        options = [(t, (dy, dx)) for t in things for dy, dx in STEPS if 0 <= t.row + dy < first.rows and 0 <= t.column + dx < first.columns
                   and not first.at(t.row + dy, t.column + dx) and sum(o.name == t.name for o in things) == 1]
        if not options:
            continue
        thing, (dy, dx) = r.choice(options)
        frames, now = [first], thing
        while len(frames) < wanted:
            row, column = now.row + dy, now.column + dx
            if 0 <= row < first.rows and 0 <= column < first.columns and not frames[-1].at(row, column):
                place = lambda n, cells, at: n * at // cells
                x = now.x + place(first.width, first.columns, column) - place(first.width, first.columns, now.column)
                y = now.y + place(first.height, first.rows, row) - place(first.height, first.rows, now.row)
                after = replace(now, row=row, column=column, x=x, y=y)
            else:
                after = now
            others = [after if t == now else t for t in frames[-1].things]
            frames.append(replace(first, things=sorted(others, key=lambda t: (t.row, t.column))))
            now = after
        return frames, thing


def png(scene):
    """The bytes of a PNG file, which need no library."""
    import struct
    pixels, _ = draw(scene)
    chunk = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", scene.width, scene.height, 8, 2, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(lines, 9)) + chunk(b"IEND", b""))
