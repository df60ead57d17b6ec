#!/usr/bin/env python3
"""How well the exported model sees: greedy answers about held-out pictures, float32, from the de-quantised weights of the file.

    python evaluate_vision.py                              the figures, into README.md
    python evaluate_vision.py --program build/bin/scout    the same questions through `scout run --image`, beside the answers here
    python evaluate_vision.py --program build/bin/scout --sheet answers.svg    ten of them, with the program's answers, as a picture
    python evaluate_vision.py --expectations               recompute expectations_vision.json
    python evaluate_vision.py --show 8 --folder pictures   writes held-out pictures, prints questions and answers
"""
import argparse
from dataclasses import dataclass, replace
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
from pictures import NAMES, SHAPES, clip, draw, draw_scene, held_pair, png
from questions import QUESTIONS, ask, motion_question
from sights import stamp_text
from vision import Tower, check_transformers, image_ids, tiles_of

SEED = 20261122


class Seer(Speaker):
    def __init__(self, path):
        super().__init__(path)
        self.v = load_vision(path)
        self.tower = Tower(self.v, self.params, exact=True)
        self.patch = self.tok.special["<|patch|>"]

    def ids_of(self, case):
        """(prompt, tiles)"""
        tok, ids, every = self.tok, [self.tok.bos] + self.tok.header["user"] + self.tok.encode("\n\n"), []
        for i, scene in enumerate(case.scenes):
            tiles, rows, columns, _, _ = tiles_of(draw(scene)[0], self.v)
            ids += (tok.encode(stamp_text(case.seconds[i])) if case.seconds else []) + image_ids(tok, self.v, rows, columns)
            every.append(tiles)
        return ids + tok.encode(case.question) + [tok.eot] + tok.generate, torch.cat(every)

    @torch.no_grad()
    def look(self, case, limit=80, margins=False):
        ids, tiles = self.ids_of(case)
        where = torch.tensor([i for i, t in enumerate(ids) if t == self.patch])
        return self.complete(ids, limit, margins, (where, self.tower.features(tiles).flatten(0, 1)))


@dataclass
class Case:
    scenes: list  # one, or the frames of a clip
    question: str
    answer: str
    seconds: tuple = ()  # of the frames

    @property
    def said(self):
        return f"{self.question} (expected: {self.answer}) [{' | '.join(s.key() for s in self.scenes)}]"


def cases(seer, kind, n, seed, largest=1, pair=False):
    """Of held-out pictures. pair: asked is a (colour, shape) that the training never shows."""
    r = random.Random(zlib.crc32(f"{seed} {kind} {largest} {pair}".encode()))
    pairs = [(c, k) for c in NAMES for k in SHAPES if held_pair(c, k)]
    out = []
    while len(out) < n:
        if kind == "motion":
            scenes, thing = clip(r, seer.v.tile, 1.0, True)
            question, answer = motion_question(r, scenes, thing)
            out.append(Case(scenes, question, strip_marks(answer), tuple(float(i) for i in range(len(scenes)))))
            continue
        wanted = r.choice(pairs) if pair else None
        s = draw_scene(r, seer.v.tile, 1.0, largest, held=True, pair=wanted)
        if largest > 1 and max(s.width, s.height) <= seer.v.tile:
            continue
        found = ask(r, s, kind)
        if found and (not wanted or " ".join(wanted) in found[1] + strip_marks(found[2])):
            out.append(Case([s], found[1], strip_marks(found[2])))
    return out


def measure(seer, name, todo, failures, other=None):
    """other: looks at the picture of another case, which tells how far guessing goes."""
    good = 0
    for i, case in enumerate(todo):
        text, _, margin = seer.look(replace(case, scenes=todo[i - 1].scenes) if other else case)
        good += text == case.answer
        if text != case.answer:
            failures.append((f"{name}: {case.said}", text, margin))
    print(name, share(good, len(todo)), flush=True)
    return name, good, len(todo)


LABELS = {"scene": "what is in the picture (all of it, in order)", "relation": "what is left of, right of, above, below a thing", "colour": "the colour of a shape",
          "shape": "the shape of a colour", "count": "how many", "exist": "is there", "where": "where a thing is, what is there", "absent": "asked for a thing that is not there",
          "number": "digits, and sums of two", "ground": "the background"}
KINDS = tuple(QUESTIONS)


def write_vision_figures(path, checkpoint, readme, quick=False):
    start, seer, failures = time.time(), Seer(path), []
    n = 6 if quick else 100
    rows = [measure(seer, LABELS[k], cases(seer, k, n, SEED), failures) for k in QUESTIONS]
    clips = cases(seer, "motion", n, SEED)
    moved = [measure(seer, f"what moved in a clip of {things}, from where to where", [c for c in clips if (len(c.scenes[0].things) > 1) == several], failures)
             for things, several in (("one thing", False), ("two or three things", True))]
    total = ("**all kinds**", sum(x[1] for x in rows), sum(x[2] for x in rows))
    mixed = lambda m, **how: [c for k in QUESTIONS for c in cases(seer, k, m, SEED + 1, **how)]
    more = [measure(seer, "all kinds, pictures of several tiles", mixed(n // 5 + 1, largest=3), failures),
            measure(seer, "about a (colour, shape) never seen in training", [c for k in ("scene", "relation", "exist", "where") for c in cases(seer, k, n // 4 + 1, SEED + 2, pair=True)], failures),
            measure(seer, "all kinds, looking at another picture (what guessing would give)", mixed(n // 5 + 1), [], other=True)]
    tiles = torch.cat([tiles_of(draw(s)[0], seer.v)[0] for c in cases(seer, "scene", 4, SEED) for s in c.scenes])
    difference = check_transformers(seer.v, {k: p for k, p in seer.params.items() if k.startswith(("v.", "mm."))}, tiles)
    said = ""
    if checkpoint and os.path.exists(checkpoint):
        st = torch.load(checkpoint)
        said = f"Learned to see in {st['seconds'] / 60:.0f} minutes: {st['step']:,} steps, {st['pictures']:,} pictures, {st['tokens'] / 1e6:.1f} million tokens, seed {st['seed']}."
    lines = [said, "Answers about held-out pictures, greedy, from the de-quantised weights in float32. A case counts only when the whole answer is exact.", "", "| about pictures | |", "|---|---|"]
    lines += [f"| {name} | {share(g, t)} |" for name, g, t in rows + [total] + moved + more]
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
    r = random.Random(seed)
    return [cases(seer, KINDS[i % len(KINDS)], 1, r.random(), 3 if i % 8 == 7 else 1)[0] for i in range(n)]


def ask_program(path, program, case, file):
    with open(file, "wb") as f:
        f.write(png(case.scenes[0]))
    out = subprocess.run([program, "run", "-q", "-t", "1", "--image", file, path, case.question], capture_output=True, text=True)
    if out.returncode:
        sys.exit(out.stderr.strip())
    return out.stdout.strip()


def write_sheet(path, program, output, n=10):
    """Held-out pictures with a question each and what `scout run --image` says, as SVG. The first n, right or wrong."""
    from base64 import b64encode
    from html import escape
    from textwrap import wrap
    seer, across, width, height = Seer(path), 5, 190, 246
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {across * width} {-(-n // across) * height}" font-family="sans-serif" font-size="11">',
           '<rect width="100%" height="100%" fill="#fff"/>']
    with tempfile.TemporaryDirectory() as folder:
        for i, case in enumerate(mixed_cases(seer, n, SEED + 6)):
            text, s = ask_program(path, program, case, os.path.join(folder, f"{i}.png")), case.scenes[0]
            x, y, scale = i % across * width, i // across * height, 150 / max(s.width, s.height)
            out.append(f'<rect x="{x + 4}" y="{y + 4}" width="{width - 8}" height="{height - 8}" rx="6" fill="#f4f4f4" stroke="#ccc"/>'
                       f'<image x="{x + 20}" y="{y + 14}" width="{s.width * scale:.0f}" height="{s.height * scale:.0f}" image-rendering="pixelated" '
                       f'href="data:image/png;base64,{b64encode(png(s)).decode()}"/>')
            good = text == case.answer
            lines = [(line, "#333", "normal") for line in wrap(case.question, 30)]
            lines += [(line, "#116622" if good else "#aa2211", "bold") for line in wrap(text + ("" if good else f" (wrong: {case.answer})"), 28)]
            out += [f'<text x="{x + 12}" y="{y + 182 + 13 * k}" fill="{colour}" font-weight="{weight}">{escape(line)}</text>' for k, (line, colour, weight) in enumerate(lines)]
    with open(output, "w") as f:
        f.write("\n".join(out + ["</svg>"]) + "\n")


def through_program(path, program, n):
    """Right answers of `scout run --image`, and how many of them are word for word those of the decoder here."""
    seer, right, same = Seer(path), 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for i, case in enumerate(mixed_cases(seer, n, SEED + 3)):
            file = os.path.join(folder, f"{i}.png")
            text, ours = ask_program(path, program, case, file), seer.look(case)
            right += text == case.answer
            same += text == ours[0]
            if text != ours[0]:
                print(f"{case.question}\n  program: {text}\n  here:    {ours[0]} (margin {ours[2]:.2f})")
    print("right", share(right, n), " same as here", share(same, n))


def write_expectations(path, output, pictures=200, clips=30):
    """What the tests need to draw the same pictures, and the greedy answers; as in expectations.json."""
    seer = Seer(path)

    def entry(case):
        ids, _ = seer.ids_of(case)
        text, out, steps = seer.look(case, 80, True)
        first = case.scenes[0]
        return {"width": first.width, "height": first.height, "ground": first.ground_rgb,
                "frames": [[{"kind": t.kind, "x": t.x, "y": t.y, "side": t.side, "rgb": t.rgb} for t in s.things] for s in case.scenes],
                "seconds": case.seconds, "crc32": [zlib.crc32(draw(s)[0].tobytes()) for s in case.scenes], "question": case.question, "expected": case.answer,
                "prompt_crc32": zlib.crc32(b"".join(i.to_bytes(4, "little") for i in ids)), "prompt_tokens": len(ids), "ids": out, "text": text,
                "margin": round(min(steps), 3), "clear": next((i for i, m in enumerate(steps) if m < 0.5), len(steps))}
    entries = {"pictures": [entry(c) for c in mixed_cases(seer, pictures, SEED + 4)], "clips": [entry(c) for c in cases(seer, "motion", clips, SEED + 4)]}
    document = {"about": "Greedy answers of scout-tiny.gguf about held-out pictures and clips, float32, from its de-quantised weights. Pictures are drawn by the rules at the top of "
                         "pictures.py, things in order; 'crc32' is that of a frame's RGB rows, 'prompt_crc32' that of the prompt's ids as little-endian 32-bit numbers. 'ids', 'margin' and "
                         "'clear' as in expectations.json. Regenerate: python examples/models/evaluate_vision.py --expectations",
                "model": os.path.basename(path), "version": version_of(path), "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(), **entries}
    with open(output, "w") as f:
        f.write(dump(document))
    for name, e in entries.items():
        print(f"{len(e)} {name}, {sum(x['text'] == x['expected'] for x in e)} answered as expected")
    print(os.path.getsize(output), "bytes")


def main():
    here = os.path.dirname(os.path.abspath(__file__))
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--model", default=os.path.join(here, "scout-tiny.gguf"))
    p.add_argument("--readme", default=os.path.join(here, "README.md"))
    p.add_argument("--checkpoint", default=os.path.join(here, "work", "vision.pt"))
    p.add_argument("--quick", action="store_true", help="few cases")
    p.add_argument("--program", help="path of the scout program")
    p.add_argument("--cases", type=int, default=60, help="through the program")
    p.add_argument("--sheet", help="SVG file, with --program")
    p.add_argument("--expectations", action="store_true")
    p.add_argument("--show", type=int, default=0)
    p.add_argument("--folder", default=".")
    args = p.parse_args()
    if args.program and args.sheet:
        write_sheet(args.model, args.program, args.sheet)
    elif args.program:
        through_program(args.model, args.program, args.cases)
    elif args.expectations:
        write_expectations(args.model, os.path.join(here, "expectations_vision.json"))
    elif args.show:
        seer = Seer(args.model)
        os.makedirs(args.folder, exist_ok=True)
        for i, case in enumerate(mixed_cases(seer, args.show, SEED + 5)):
            with open(os.path.join(args.folder, f"{i}.png"), "wb") as f:
                f.write(png(case.scenes[0]))
            print(f"{i}.png  {case.question}\n  {seer.look(case)[0]}   (expected: {case.answer})")
    else:
        write_vision_figures(args.model, args.checkpoint, args.readme, args.quick)


if __name__ == "__main__":
    main()
