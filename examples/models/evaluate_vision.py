#!/usr/bin/env python3
"""How well the exported model sees: greedy answers about held-out pictures, float32, from the de-quantised weights of the file.

    python evaluate_vision.py                              the figures, into README.md
    python evaluate_vision.py --program build/bin/scout    the same questions through `scout run --image`, beside the answers here
    python evaluate_vision.py --expectations               recompute expectations_vision.json
    python evaluate_vision.py --show 8 --folder pictures   writes held-out pictures, prints questions and answers
"""
import argparse
import hashlib
import json
import os
import random
import re
import subprocess
import sys
import tempfile
import time
import zlib

import torch

from data import strip_marks
from evaluate import Speaker, clean, dump, share
from export import load_vision, version_of
from pictures import NAMES, SHAPES, draw, draw_scene, held_pair, save
from questions import QUESTIONS, ask
from vision import Tower, check_transformers, image_ids, tiles_of

SEED = 20261122


class Seer(Speaker):
    def __init__(self, path):
        super().__init__(path)
        self.v = load_vision(path)
        self.tower = Tower(self.v, self.params, exact=True)
        self.patch = self.tok.special["<|patch|>"]

    def ids_of(self, pixels, question):
        """(prompt, tiles)"""
        tok = self.tok
        tiles, rows, columns, _, _ = tiles_of(pixels, self.v)
        ids = [tok.bos] + tok.header["user"] + tok.encode("\n\n") + image_ids(tok, self.v, rows, columns) + tok.encode(question) + [tok.eot]
        return ids + tok.generate, tiles

    @torch.no_grad()
    def look(self, pixels, question, limit=80, margins=False):
        ids, tiles = self.ids_of(pixels, question)
        where = torch.tensor([i for i, t in enumerate(ids) if t == self.patch])
        return self.complete(ids, limit, margins, (where, self.tower.features(tiles).flatten(0, 1)))


def cases(seer, kind, n, seed, largest=1, pair=False):
    """(scene, question, answer) about held-out pictures. pair: asked is a (colour, shape) that the training never shows."""
    r = random.Random(zlib.crc32(f"{seed} {kind} {largest} {pair}".encode()))
    pairs = [(c, k) for c in NAMES for k in SHAPES if held_pair(c, k)]
    out = []
    while len(out) < n:
        wanted = r.choice(pairs) if pair else None
        s = draw_scene(r, seer.v.tile, 1.0, largest, held=True, pair=wanted)
        if largest > 1 and max(s.width, s.height) <= seer.v.tile:
            continue
        found = ask(r, s, kind)
        if found and (not wanted or " ".join(wanted) in found[1] + strip_marks(found[2])):
            out.append((s, found[1], strip_marks(found[2])))
    return out


def measure(seer, name, todo, failures, other=None):
    """other: looks at the picture of another case, which tells how far guessing goes."""
    good = 0
    for i, (s, q, a) in enumerate(todo):
        text, _, margin = seer.look(draw(todo[i - 1][0] if other else s)[0], q)
        good += text == a
        if text != a:
            failures.append((f"{name}: {q} (expected: {a}) [{s.key()}]", text, margin))
    print(name, share(good, len(todo)), flush=True)
    return name, good, len(todo)


LABELS = {"scene": "what is in the picture (all of it, in order)", "relation": "what is left of, right of, above, below a thing", "colour": "the colour of a shape",
          "shape": "the shape of a colour", "count": "how many", "exist": "is there", "where": "where a thing is, what is there", "absent": "asked for a thing that is not there",
          "number": "digits, and sums of two", "ground": "the background"}


def write_vision_figures(path, checkpoint, readme, quick=False):
    start, seer, failures = time.time(), Seer(path), []
    n = 6 if quick else 100
    rows = [measure(seer, LABELS[k], cases(seer, k, n, SEED), failures) for k in QUESTIONS]
    total = ("**all kinds**", sum(x[1] for x in rows), sum(x[2] for x in rows))
    mixed = lambda m, **how: [c for k in QUESTIONS for c in cases(seer, k, m, SEED + 1, **how)]
    more = [measure(seer, "all kinds, pictures of several tiles", mixed(n // 5 + 1, largest=3), failures),
            measure(seer, "about a (colour, shape) never seen in training", [c for k in ("scene", "relation", "exist", "where") for c in cases(seer, k, n // 4 + 1, SEED + 2, pair=True)], failures),
            measure(seer, "all kinds, looking at another picture (what guessing would give)", mixed(n // 5 + 1), [], other=True)]
    tiles = torch.cat([tiles_of(draw(s)[0], seer.v)[0] for s, _, _ in cases(seer, "scene", 4, SEED)])
    difference = check_transformers(seer.v, {k: p for k, p in seer.params.items() if k.startswith(("v.", "mm."))}, tiles)
    said = ""
    if checkpoint and os.path.exists(checkpoint):
        st = torch.load(checkpoint)
        said = f"Learned to see in {st['seconds'] / 60:.0f} minutes: {st['step']:,} steps, {st['pictures']:,} pictures, {st['tokens'] / 1e6:.1f} million tokens, seed {st['seed']}."
    lines = [said, "Answers about held-out pictures, greedy, from the de-quantised weights in float32. A case counts only when the whole answer is exact.", "", "| about pictures | |", "|---|---|"]
    lines += [f"| {name} | {share(g, t)} |" for name, g, t in rows + [total] + more]
    lines += ["", f"Rows of this tower and of transformers' `Llama4VisionModel` with its projector (float32, eager): largest difference {difference:.1e} of the rms.", ""]
    failures.sort(key=lambda f: -f[2])
    lines += ["The worst four answers, wrong and given with the least doubt:", ""]
    for q, text, margin in failures[:4]:
        lines += [f"> **{clean(q)}**  ", f"> {clean(text)}", ""]
    block = "\n".join(lines).strip()
    with open(readme) as f:
        body = f.read()
    mark = ("<!-- pictures -->", "<!-- /pictures -->")
    assert mark[0] in body and mark[1] in body, f"{readme} has no place for the figures of pictures"
    body = re.sub(f"({mark[0]}).*?({mark[1]})", lambda m: m.group(1) + "\n" + block + "\n" + m.group(2), body, flags=re.S)
    with open(readme, "w") as f:
        f.write(body)
    print(block)
    print(f"looked in {(time.time() - start) / 60:.1f} minutes; {len(failures)} failures:")
    for q, text, margin in failures:
        print(f"  [{margin:.2f}] {q}\n       -> {text}")


def mixed_cases(seer, n, seed):
    r, kinds = random.Random(seed), list(QUESTIONS)
    return [cases(seer, kinds[i % len(kinds)], 1, r.random(), 3 if i % 4 == 3 else 1)[0] for i in range(n)]


def through_program(path, program, n):
    """Right answers of `scout run --image`, and how many of them are word for word those of the decoder here."""
    seer, right, same = Seer(path), 0, 0
    todo = mixed_cases(seer, n, SEED + 3)
    with tempfile.TemporaryDirectory() as folder:
        for i, (s, q, a) in enumerate(todo):
            file = os.path.join(folder, f"{i}.png")
            save(s, file)
            out = subprocess.run([program, "run", "-q", "-t", "1", "--image", file, path, q], capture_output=True, text=True)
            if out.returncode:
                sys.exit(out.stderr.strip())
            text, ours = out.stdout.strip(), seer.look(draw(s)[0], q)
            right += text == a
            same += text == ours[0]
            if text != ours[0]:
                print(f"{q}\n  program: {text}\n  here:    {ours[0]} (margin {ours[2]:.2f})")
    print("right", share(right, n), " same as here", share(same, n))


def write_expectations(path, output, n=40):
    """What the tests need to draw the same pictures, and the greedy answers; as in expectations.json."""
    seer, entries = Seer(path), []
    for s, q, a in mixed_cases(seer, n, SEED + 4):
        pixels, _ = draw(s)
        ids, _ = seer.ids_of(pixels, q)
        text, out, steps = seer.look(pixels, q, 80, True)
        entries.append({"width": s.width, "height": s.height, "ground": s.ground_rgb, "things": [{"kind": t.kind, "x": t.x, "y": t.y, "side": t.side, "rgb": t.rgb} for t in s.things],
                        "crc32": zlib.crc32(pixels.tobytes()), "question": q, "expected": a, "prompt_ids": ids, "ids": out, "text": text, "margin": round(min(steps), 3),
                        "clear": next((i for i, m in enumerate(steps) if m < 0.5), len(steps))})
    document = {"about": "Greedy answers of scout-tiny.gguf about pictures, float32, from its de-quantised weights. Pictures are drawn by the rules at the top of pictures.py, things in "
                         "order; 'crc32' is that of the RGB rows. 'ids', 'margin' and 'clear' as in expectations.json. Regenerate: python examples/models/evaluate_vision.py --expectations",
                "model": os.path.basename(path), "version": version_of(path), "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(), "pictures": entries}
    with open(output, "w") as f:
        f.write(dump(document))
    print(f"{n} pictures ({sum(e['text'] == e['expected'] for e in entries)} answered as expected), {os.path.getsize(output)} bytes")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=os.path.join(here, "scout-tiny.gguf"))
    p.add_argument("--readme", default=os.path.join(here, "README.md"))
    p.add_argument("--checkpoint", default=os.path.join(here, "work", "vision.pt"))
    p.add_argument("--quick", action="store_true", help="few cases")
    p.add_argument("--program", help="path of the scout program")
    p.add_argument("--cases", type=int, default=60, help="through the program")
    p.add_argument("--expectations", action="store_true")
    p.add_argument("--show", type=int, default=0)
    p.add_argument("--folder", default=".")
    args = p.parse_args()
    if args.program:
        through_program(args.model, args.program, args.cases)
    elif args.expectations:
        write_expectations(args.model, os.path.join(here, "expectations_vision.json"))
    elif args.show:
        seer = Seer(args.model)
        os.makedirs(args.folder, exist_ok=True)
        for i, (s, q, a) in enumerate(mixed_cases(seer, args.show, SEED + 5)):
            save(s, os.path.join(args.folder, f"{i}.png"))
            print(f"{i}.png  {q}\n  {seer.look(draw(s)[0], q)[0]}   (expected: {a})")
    else:
        write_vision_figures(args.model, args.checkpoint, args.readme, args.quick)


if __name__ == "__main__":
    main()
