"""Rows of the training in which pictures are looked at: chats of one or more pictures with questions about the latest of them."""
import random

import numpy as np
import torch

import data
from pictures import COLOURS, KINDS, clip, draw, draw_scene
from questions import DIRECTIONS, ask, blind, motion_question, neighbour
from vision import image_ids, tiles_of

COLOUR_ID = {n: i + 1 for i, n in enumerate(COLOURS)}
KIND_ID = {n: i + 1 for i, n in enumerate(KINDS)}
MOST = 7  # of what is counted
# What a feature row should tell of the thing that it shows: colour and kind, those of its four neighbours, its place down and across, and how
# many have its kind and its colour; and of the picture the ground and the number of shapes. 0 none, -100 not told.
LABELS = 2 + 2 * len(DIRECTIONS) + 6
CLASSES = tuple(n + 1 for _ in range(1 + len(DIRECTIONS)) for n in (len(COLOURS), len(KINDS))) + (4, 4, MOST + 1, MOST + 1, len(COLOURS) + 1, MOST + 1)
PLACES = {1: (2,), 2: (1, 3), 3: (1, 2, 3)}  # of a grid with so many rows: top, middle or bottom


def labels_of(scene, which, drawn_width, drawn_height, stretched, c):
    """What each feature row of the (last) tile should tell: [rows, LABELS]. A row whose pixels show two things about alike, or
    little of one, is not asked for anything."""
    s, n = c.tile, c.side // c.shuffle
    w, h = (s, s) if stretched else (drawn_width, drawn_height)
    at = np.zeros((s, s), np.int16)
    y = (2 * np.arange(h) + 1) * scene.height // (2 * h)
    x = (2 * np.arange(w) + 1) * scene.width // (2 * w)
    at[:h, :w] = which[y[:, None], x[None]]
    cell = s // n
    kinds = len(scene.things) + 1
    place = (np.arange(s) // cell)[:, None] * n + (np.arange(s) // cell)[None]
    area = np.bincount((place * kinds + at).ravel(), minlength=n * n * kinds).reshape(n * n, kinds)[:, 1:]
    out = np.full((n * n, LABELS), -100, np.int64)
    total = area.sum(0)
    shapes = [t for t in scene.things if not t.digit]
    out[:, -2:] = COLOUR_ID[scene.ground], min(MOST, len(shapes))
    for row in range(n * n):
        seen = area[row]
        if seen.sum() == 0:
            out[row, :2] = 0
            continue
        i = int(seen.argmax())
        others = int(seen.sum() - seen[i])
        if seen[i] * 10 < total[i] * 3 or others * 3 > seen[i]:
            continue
        t = scene.things[i]
        out[row, :2] = COLOUR_ID[t.colour], KIND_ID[t.kind]
        for k, d in enumerate(DIRECTIONS):
            o, clear = neighbour(scene, t, d)
            out[row, 2 + 2 * k:4 + 2 * k] = (COLOUR_ID[o.colour], KIND_ID[o.kind]) if o else (0, 0) if clear else -100
        out[row, -6:-2] = (PLACES[scene.rows][t.row], PLACES[scene.columns][t.column], min(MOST, sum(o.kind == t.kind for o in scene.things)),
                           min(MOST, sum(o.colour == t.colour for o in shapes)))
    return out


def stamp_text(seconds):
    """What stands before a frame in a prompt."""
    return f"[{seconds:.1f} s]"


class Picture:
    def __init__(self, scene, c, want_labels=True):
        pixels, which = draw(scene)
        self.scene = scene
        self.tiles, self.rows, self.columns, w, h = tiles_of(pixels, c)
        self.several = self.rows * self.columns > 1
        self.labels = labels_of(scene, which, w, h, self.several, c) if want_labels else None


class Sights:
    """Batches of chats about pictures. kinds[turn] names the kind of question that a token's `turn` answers."""

    def __init__(self, tok, config, seed, held=False):
        self.tok, self.c, self.held = tok, config, held
        self.r = random.Random(seed)
        self.words = data.Rows(tok, seed + 1)
        self.patch = tok.special["<|patch|>"]

    def picture(self, level, largest=1, want_labels=True):
        largest = 1 if self.r.random() < 0.6 else largest
        return Picture(draw_scene(self.r, self.c.tile, level, largest, self.held), self.c, want_labels)

    def user(self, ids, text, pictures=(), stamps=()):
        """stamps: seconds, of the frames of a clip, written before each as the video functions of the library write them."""
        tok = self.tok
        ids += tok.header["user"] + tok.encode("\n\n")
        for i, picture in enumerate(pictures):
            ids += tok.encode(stamp_text(stamps[i])) if stamps else []
            ids += image_ids(tok, self.c, picture.rows, picture.columns)
        ids += tok.encode(text) + [tok.eot]

    def chat(self, length, level, largest, kinds):
        """(ids, weights, turn per token, pictures)"""
        r, ids, pictures, w, turns = self.r, [self.tok.bos], [], [0.0], [-1]

        def say(question, answer, kind, shown=(), stamps=()):
            self.user(ids, question, shown, stamps)
            w.extend([0.0] * (len(ids) - len(w)))
            turns.extend([-1] * (len(ids) - len(turns)))
            self.words.message(ids, w, "assistant", answer, True)
            turns.extend(len(kinds) if x else -1 for x in w[len(turns):])
            kinds.append(kind)
        if not self.held:  # before any picture: what asks for one, and what does not
            if (x := r.random()) < 0.04:
                say(*blind(r), "blind")
            elif x < 0.16:
                say(*data.outside(r, False), "text")
        store = {}
        while len(ids) < length:
            if r.random() < 0.35:
                scenes, thing = clip(r, self.c.tile, level, self.held)
                frames = [Picture(x, self.c) for x in scenes]
                pictures += frames
                start, step = r.choice((0.0, 0.0, 0.0, r.randint(1, 99) / 10)), r.choice((0.5, 1.0, 1.0, 2.0))
                question, answer = motion_question(r, scenes, thing)
                say(question, answer, "motion", frames, [start + i * step for i in range(len(frames))])
                continue
            p = self.picture(level, largest)
            pictures.append(p)
            asked = set()
            for i in range(r.choice((1, 3, 4, 5, 6))):
                if r.random() < 0.08 and i and not self.held:
                    q, a = data.turn(r, store, 1.0, False)
                    say(q, a, "text")
                    continue
                for _ in range(4):
                    kind, q, a = ask(r, p.scene)
                    if q not in asked:
                        break
                asked.add(q)
                say(q, a, kind, () if i else (p,))
        return ids[:length], w[:length], turns[:length], pictures

    def batch(self, count, length, level, largest=1):
        ids, weights, turns, pictures, kinds = [], [], [], [], []
        for _ in range(count):
            i, w, t, p = self.chat(length, level, largest, kinds)
            ids.append(i), weights.append(w), turns.append(t), pictures.append(p)
        return Batch(self, torch.tensor(ids), torch.tensor(weights), torch.tensor(turns), pictures, kinds)


class Batch:
    """Inputs ids[:, :-1], targets ids[:, 1:]."""

    def __init__(self, sights, ids, weights, turns, pictures, kinds):
        self.ids, self.targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
        self.weights, self.turns, self.kinds = weights[:, 1:].contiguous(), turns[:, 1:].contiguous(), kinds
        self.where = (self.ids == sights.patch).flatten().nonzero()[:, 0]
        room = (self.ids == sights.patch).sum(1).tolist()
        rows, tiles, labels, last, first = sights.c.rows, [], [], [], 0
        take = []
        for there, ps in zip(room, pictures):
            for p in ps:
                n = min(there, len(p.tiles) * rows)
                if n == 0:  # cut off by the end of the row
                    continue
                there -= n
                used = -(-n // rows)
                tiles.append(p.tiles[:used])
                take.append(torch.arange(first * rows, first * rows + n))
                if used == len(p.tiles):
                    last.append(first + used - 1)
                    labels.append(p.labels)
                first += used
            assert there == 0
        self.tiles, self.take = torch.cat(tiles), torch.cat(take)
        self.last, self.labels = torch.tensor(last), torch.from_numpy(np.stack(labels))

    def pictures(self, features):
        return self.where, features.flatten(0, 1).index_select(0, self.take)
