#!/usr/bin/env python3
"""Compares the tokenizer with tiktoken: the ids of many generated texts, and the speed on the same text, one thread each.

    pip install tiktoken
    ninja -C build tokenizer_tool
    python3 tests/bench/tokenizer_compare.py --tool build/bin/tokenizer_tool --model tokenizer.model

Texts are generated from a seed, category by category; the last line says how many agreed. tiktoken stops with an error on
runs of a million characters of white space and takes no malformed UTF-8: such texts are not in here.
"""
import argparse
import base64
import os
import random
import struct
import subprocess
import sys
import tempfile
import time

SPLIT = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|"
         r"\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
WORDS = ("the of and to in is that for it as was with be by on not he his but at are this have from or had an they which one "
         "you were all her she there would their we him been has when who will no more if out so up said what its about than "
         "into them can only other time new some could these two may first then do any like my now over such our man me even "
         "most made after also did many off before must well back through years much where your way down should because long "
         "each just state those people too mr how little good world make very year still see own work men day get here "
         "language model tokenizer attention expert vocabulary throughput invariant HTTPServer camelCase snake_case").split()
SPACES = ["\t", "\n", "\v", "\f", "\r", " ", "\x85", "\xa0", "\u1680", "\u2000", "\u2003", "\u2009", "\u200a", "\u2028",
          "\u2029", "\u202f", "\u205f", "\u3000", "\r\n", "  ", "\n\n"]
CONTRACTIONS = [a + b for a in ("'", "\u2019", "''") for b in ("s", "S", "\u017f", "t", "T", "re", "RE", "Re", "ve", "vE", "m", "M",
                                                               "ll", "LL", "lL", "d", "D", "l", "r", "v", "e", "x", "")]
SCRIPTS = [(0x41, 0x7A), (0xC0, 0x24F), (0x250, 0x2AF), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x52F), (0x531, 0x58F), (0x590, 0x5FF),
           (0x600, 0x6FF), (0x900, 0x97F), (0x980, 0x9FF), (0xE00, 0xE7F), (0x10A0, 0x10FF), (0x13A0, 0x13FF), (0x1E00, 0x1FFF),
           (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x10400, 0x1044F), (0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF)]


def scalar(rng):
    while True:
        c = rng.randrange(0x110000)
        if not 0xD800 <= c <= 0xDFFF:
            return chr(c)


def assigned(rng):
    low, high = rng.choice(SCRIPTS)
    return chr(rng.randint(low, high))


def join(rng, pick, longest=60):
    return "".join(pick(rng) for _ in range(rng.randint(1, longest)))


def mixed(rng):
    return rng.choice([lambda: rng.choice(WORDS), lambda: rng.choice(SPACES), lambda: rng.choice(CONTRACTIONS), lambda: assigned(rng),
                       lambda: str(rng.randrange(10 ** rng.randint(1, 9))), lambda: rng.choice("!?.,;:/\\()[]{}<>|#@$%^&*-_=+~`\"'"),
                       lambda: chr(rng.randint(0x300, 0x36F)), lambda: " ", lambda: rng.choice("\r\n/")])()


def prose(rng):
    words = []
    for _ in range(rng.randint(3, 60)):
        word = rng.choice(WORDS)
        word = rng.choice([word, word, word, word.capitalize(), word.upper(), word + rng.choice(CONTRACTIONS)])
        words.append(word + rng.choice(["", "", "", "", ",", ".", "!", "?\n", ":", "...", ".\n\n"]))
    return " ".join(words)


def code(rng):
    lines = []
    for _ in range(rng.randint(1, 12)):
        lines.append(rng.choice(["    ", "\t", "        ", ""]) + rng.choice(
            ["if (x == %d) {", "return a[%d]; // done", "def f_%d(self):", "#include <v%d.h>", "x = '%d' + \"s\"", "}", "/* %d **/", "a->b = %d;"]
            ).replace("%d", str(rng.randrange(100000))))
    return rng.choice(["\n", "\r\n"]).join(lines)


def run(rng):
    one = rng.choice(["a", "A", " ", ".", "\n", "\u0301", "7", "ab", "Aa", "aA", "\u00e9", "\u65e5", "\U0001F600", "\t", "=", " \n", "'s", "\u01c5"])
    return one * (rng.randint(1, 400) // len(one) + 1)


def emoji(rng):
    faces = [chr(rng.randint(0x1F300, 0x1FAFF)) for _ in range(rng.randint(1, 8))]
    return rng.choice(["", "\u200d", "\ufe0f", "\u200d\ufe0f", " "]).join(faces) + rng.choice(["", "\U0001F3FD", "\u20e3", "\U0001F1E9\U0001F1EA"])


CATEGORIES = {
    "every code point in turn": None,
    "any of Unicode": lambda r: join(r, scalar, 20),
    "scripts": lambda r: join(r, assigned),
    "marks": lambda r: join(r, lambda q: q.choice([assigned(q), chr(q.randint(0x300, 0x36F)), "e", "E", " ", "\u0903", "\u20dd"])),
    "upper and lower case": lambda r: join(r, lambda q: q.choice("aAbB \u00c9\u00e9\u01c5\u02b0\u00aa\u0414\u0434\u65e5'\u0301")),
    "digits": lambda r: join(r, lambda q: q.choice("0123456789 .,\u0663\u00bd\u2167\u096a\U0001D7D8x")),
    "contractions": lambda r: join(r, lambda q: q.choice([q.choice(WORDS), q.choice(CONTRACTIONS), " ", "I", "\u00c9"]), 20),
    "white space": lambda r: join(r, lambda q: q.choice([q.choice(SPACES), q.choice(SPACES), q.choice(SPACES), "a", "A", "1", ".", "/", "\u0301"])),
    "emoji": emoji,
    "runs": run,
    "prose": prose,
    "code": code,
    "mixed": lambda r: join(r, mixed),
    "control spellings": lambda r: join(r, lambda q: q.choice(["<|eot|>", "<|header_start|>", "<|begin_of_text|>", "system", "\n\n", "<|", "|>"]), 10),
}


def texts_of(category, make, count, rng):
    if make is None:  # all 1,112,064 scalar values, in shuffled groups of twenty
        every = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
        rng.shuffle(every)
        return ["".join(every[i:i + 20]) for i in range(0, len(every), 20)]
    return [make(rng) for _ in range(count)]


def ours(tool, model, texts):
    packed = b"".join(struct.pack("<I", len(t)) + t for t in texts)
    out = subprocess.run([tool, model, "encode"], input=packed, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if out.returncode != 0:
        sys.exit(out.stderr.decode())
    at, result = 0, []
    for _ in texts:
        (count,) = struct.unpack_from("<I", out.stdout, at)
        result.append(list(struct.unpack_from(f"<{count}i", out.stdout, at + 4)))
        at += 4 + 4 * count
    return result


def compare(args, encoding):
    rng = random.Random(args.seed)
    good = tried = tokens = 0
    for category, make in CATEGORIES.items():
        texts = texts_of(category, make, args.count, rng)
        expected = [encoding.encode_ordinary(t) for t in texts]
        found = ours(args.tool, args.vocabulary, [t.encode() for t in texts])
        wrong = [i for i, (a, b) in enumerate(zip(expected, found)) if a != b]
        for i in wrong[:3]:
            print(f"  {texts[i]!r}\n  tiktoken {expected[i]}\n  ours     {found[i]}")
        tried, good, tokens = tried + len(texts), good + len(texts) - len(wrong), tokens + sum(map(len, expected))
        print(f"{category}: {len(texts)} texts, {len(wrong)} differ", flush=True)
    for one in ["a", "A", "aA", ".", " ", "\n", "\u0301", "\u65e5", "7", "ha", "\U0001F600"]:
        text = one * 25000
        expected = encoding.encode_ordinary(text)
        tried, tokens = tried + 1, tokens + len(expected)
        if ours(args.tool, args.vocabulary, [text.encode()])[0] == expected:
            good += 1
        else:
            print(f"a run of 25000 x {one!r} differs")
    print(f"{good} of {tried} texts equal tiktoken's ids ({tokens} tokens)")
    return good == tried


def speed(args, encoding):
    rng = random.Random(args.seed + 1)
    samples = {"prose": prose, "code": code, "scripts": CATEGORIES["scripts"], "mixed": CATEGORIES["mixed"]}
    corpora = {}
    for name, make in samples.items():
        parts, size = [], 0
        while size < 4_000_000:
            parts.append(make(rng))
            size += len(parts[-1].encode())
        corpora[name] = "\n".join(parts)
    if args.text:
        corpora[os.path.basename(args.text)] = open(args.text, encoding="utf-8", newline="").read()
    for name, text in corpora.items():
        size, best = len(text.encode()), float("inf")
        for _ in range(3):
            begin = time.perf_counter()
            encoding.encode_ordinary(text)
            best = min(best, time.perf_counter() - begin)
        with tempfile.NamedTemporaryFile(suffix=".txt") as file:
            file.write(text.encode())
            file.flush()
            mine = subprocess.run([args.tool, args.vocabulary, "time", file.name, "2"], capture_output=True, text=True, check=True).stdout.strip()
        print(f"{name}: tiktoken {size / best * 1e-6:.2f} MB/s, ours {mine}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--model", required=True, help="tiktoken file")
    parser.add_argument("--vocabulary", help="what ours reads instead: the same vocabulary as tokenizer.json, for instance")
    parser.add_argument("--count", type=int, default=10000, help="texts per category")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--text", help="one more text to time")
    parser.add_argument("--skip-speed", action="store_true")
    args = parser.parse_args()
    args.vocabulary = args.vocabulary or args.model
    os.environ["RAYON_NUM_THREADS"] = "1"
    import tiktoken
    ranks = {base64.b64decode(t): int(r) for t, r in (line.split() for line in open(args.model, "rb") if line.strip())}
    encoding = tiktoken.Encoding("compared", pat_str=SPLIT, mergeable_ranks=ranks, special_tokens={})
    print(f"tiktoken {tiktoken.__version__}, {len(ranks)} ranks")
    equal = compare(args, encoding)
    if not args.skip_speed:
        speed(args, encoding)
    sys.exit(0 if equal else 1)


if __name__ == "__main__":
    main()
