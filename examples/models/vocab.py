"""The bundled model's tokenizer: byte-level BPE learned from the generated text, split as Llama 4 splits.

Ordinary ids are merge ranks: 256 single bytes (in the order of the usual byte-to-character map), then merges in the order
learned. A merge never touches a digit, so every number is one token per digit. Control tokens follow.
"""
import collections
import json

import regex

# One pattern, ordered alternatives, Unicode classes: words with an optional leading character and contraction,
# numbers up to three digits, punctuation runs, line ends, spaces.
SPLIT = regex.compile(
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
    r"|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+")

TOTAL = 3072
CONTROLS = ["<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>", "<|header_start|>",
            "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>", "<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>",
            "<|image_start|>", "<|image_end|>", "<|tile_x_separator|>", "<|tile_y_separator|>", "<|image|>", "<|patch|>",
            "<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>"]
RESERVED = 43  # beside the named ones, for what later training (images) may need
ORDINARY = TOTAL - len(CONTROLS) - RESERVED


def byte_chars():
    """byte -> printable character, as GGUF and tokenizer.json spell tokens."""
    keep = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    table = {b: chr(b) for b in keep}
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + len(table) - len(keep))
    return table


BYTE_ORDER = sorted(range(256), key=lambda b: ord(byte_chars()[b]))


class Tokenizer:
    def __init__(self, tokens, merges, specials):
        self.tokens = tokens      # list of bytes, id order
        self.merges = merges      # list of (left id, right id); merge i makes token 256 + i
        self.specials = specials  # list of str; ids follow the ordinary tokens
        self.rank = {t: i for i, t in enumerate(tokens)}
        self.special = {s: len(tokens) + i for i, s in enumerate(specials)}
        self.cache = {}
        self.size = len(tokens) + len(specials)
        sp = self.special
        self.bos, self.eot, self.end = sp["<|begin_of_text|>"], sp["<|eot|>"], sp["<|end_of_text|>"]
        self.stop = {self.eot, self.end, sp["<|eom|>"]}
        nl = self.encode("\n\n")
        self.header = {r: [sp["<|header_start|>"], *self.encode(r), sp["<|header_end|>"]] for r in ("system", "user", "assistant")}
        self.generate = self.header["assistant"] + nl

    @staticmethod
    def load(path):
        with open(path) as f:
            d = json.load(f)
        tokens = [bytes.fromhex(t) for t in d["tokens"]]
        return Tokenizer(tokens, [tuple(m) for m in d["merges"]], d["specials"])

    def save(self, path):
        with open(path, "w") as f:
            json.dump({"tokens": [t.hex() for t in self.tokens], "merges": self.merges, "specials": self.specials}, f)

    def piece(self, text):
        ids = self.cache.get(text)
        if ids is None:
            parts = [bytes([b]) for b in text.encode()]
            while len(parts) > 1:
                ranks = [self.rank.get(a + b, 1 << 30) for a, b in zip(parts, parts[1:])]
                best = min(ranks)
                if best == 1 << 30:
                    break
                i = ranks.index(best)
                parts[i:i + 2] = [parts[i] + parts[i + 1]]
            ids = self.cache[text] = [self.rank[p] for p in parts]
        return ids

    def encode(self, text):
        out, cached = [], self.cache.get
        for p in SPLIT.findall(text):
            out += cached(p) or self.piece(p)
        return out

    def encode_weighted(self, text, weight, strong):
        """Text whose {marked} spans weigh `strong`: (ids, weights)."""
        if "{" not in text:
            ids = self.encode(text)
            return ids, [weight] * len(ids)
        plain, spans, at = [], [], 0
        for i, part in enumerate(regex.split(r"[{}]", text)):
            if i % 2:
                spans.append((at, at + len(part)))
            plain.append(part)
            at += len(part)
        ids, weights, at, cached = [], [], 0, self.cache.get
        for text in SPLIT.findall("".join(plain)):
            p = cached(text) or self.piece(text)
            end = at + len(text)
            w = weight
            for s, e in spans:
                if at < e and end > s:
                    w = strong
            ids += p
            weights += [w] * len(p)
            at = end
        return ids, weights

    def decode(self, ids):
        return b"".join(self.tokens[i] for i in ids if i < len(self.tokens)).decode("utf-8", "replace")


def learn(counts, total):
    """Byte-pair merges over {piece: count}. Ties go to the pair that sorts first, so the result is reproducible."""
    tokens = [bytes([b]) for b in BYTE_ORDER]
    ids = {t: i for i, t in enumerate(tokens)}
    words = [([ids[bytes([b])] for b in w.encode()], n) for w, n in sorted(counts.items()) if not any(c.isdigit() for c in w)]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (w, n) in enumerate(words):
        for a in zip(w, w[1:]):
            pairs[a] += n
            where[a].add(i)
    merges = []
    while len(tokens) < total:
        best = max(pairs, key=lambda a: (pairs[a], -a[0], -a[1]), default=None)
        if best is None or pairs[best] <= 0:
            break
        joined = tokens[best[0]] + tokens[best[1]]
        new = ids.setdefault(joined, len(tokens))  # the same bytes by another split: one token
        if new == len(tokens):
            tokens.append(joined)
            merges.append(best)
        for i in list(where[best]):
            w, n = words[i]
            for a in zip(w, w[1:]):
                pairs[a] -= n
            out, j = [], 0
            while j < len(w):
                if j + 1 < len(w) and (w[j], w[j + 1]) == best:
                    out.append(new)
                    j += 2
                else:
                    out.append(w[j])
                    j += 1
            words[i] = (out, n)
            for a in zip(out, out[1:]):
                pairs[a] += n
                where[a].add(i)
        del pairs[best]
    return tokens, merges


def build(path, seed):
    """Counts pieces in a sample of the training text and learns the vocabulary from it."""
    from data import sample_texts
    counts = collections.Counter()
    for text in sample_texts(seed, 12000):
        counts.update(SPLIT.findall(text))
    counts = {w: min(n, 3000) for w, n in counts.items()}  # a common word needs no second reason
    for w in ("system", "user", "assistant", "\n\n"):
        counts[w] = 100000
    tokens, merges = learn(counts, ORDINARY)
    specials = list(CONTROLS) + [f"<|reserved_special_token_{i}|>" for i in range(TOTAL - len(tokens) - len(CONTROLS))]
    Tokenizer(tokens, merges, specials).save(path)
    print("vocabulary", len(tokens), "ordinary,", len(specials), "control", flush=True)
