"""Figures and expectations of the exported model: greedy, float32, from the de-quantised weights of the GGUF file."""
import hashlib
import json
import os
import random
import re
import time

import torch

from data import FALLBACK, SYSTEM, ask, knowledge, manners, outside, plant, story_turn, strip_marks, sum_turn, turn
from export import load, transformers_model, version_of
from model import Decoder

# Questions written by hand, in no grammar of data.py.
REAL_QUESTIONS = [
    "Why do cats purr?", "How do airplanes stay in the air?", "Can you recommend a good restaurant in Paris?", "What is the tallest building in the world?",
    "How do I boil an egg?", "Who painted the Mona Lisa?", "What is the speed of light?", "Why is the sky dark at night?", "Explain how a car engine works.",
    "What is 12 divided by 4?", "Write a haiku about autumn.", "How many bones are in the human body?", "What year did the Titanic sink?",
    "Can you fix the bug in my code?", "What is the chemical formula of water?", "Tell me something interesting.", "How do I become rich?",
    "What language do they speak in Brazil?", "Is there life on other planets?", "What should I have for dinner?", "Who won the last world cup?",
    "How do vaccines work?", "Which is the longest river in Africa?", "What does DNA stand for?", "Why do we dream?", "Give me three synonyms for big.",
    "Write a function that sorts a list.", "What is the plot of Hamlet?", "How many planets are there?", "Should I buy a house or rent one?",
    "What is the best way to learn the guitar?", "Who is the king of England?", "How does the internet work?", "Was ist die Hauptstadt von Deutschland?",
    "Summarize the news of today.", "What is the boiling point of water?", "Do aliens exist?", "Can I eat mushrooms from the forest?",
    "How long is a marathon?", "What is machine learning?"]


class Speaker:
    def __init__(self, path):
        self.c, self.params, self.tok = load(path)

    def chat_ids(self, messages, generate=True):
        tok, ids = self.tok, [self.tok.bos]
        for role, text in messages:
            ids += tok.header[role] + tok.encode("\n\n" + text) + [tok.eot]
        return ids + (tok.generate if generate else [])

    def answer(self, messages, limit=200):
        """(text, ids, smallest margin)"""
        return self.complete(self.chat_ids(messages), limit)

    def complete(self, prompt, limit=200, margins=False, pictures=None):
        ids, steps = greedy(Decoder(self.c, self.params), prompt, self.tok.stop, limit, pictures)
        text = self.tok.decode([i for i in ids if i not in self.tok.stop])
        return (text, ids, steps) if margins else (text, ids, min(steps))


def greedy(decoder, prompt, stop, limit, pictures=None):
    """Greedy continuation, its stop token included, with the top-1 minus top-2 logit of each step. pictures: (indices into
    prompt, rows) that stand in place of embeddings."""
    for s in range(0, len(prompt), 512):  # bounded score matrices
        part = None
        if pictures is not None:
            inside = (pictures[0] >= s) & (pictures[0] < s + 512)
            part = pictures[0][inside] - s, pictures[1][inside]
        logits = decoder.feed(prompt[s:s + 512], True, part)
    out, margins = [], []
    while True:
        top = logits[-1].topk(2)
        margins.append(float(top.values[0] - top.values[1]))
        out.append(int(top.indices[0]))
        if out[-1] in stop or len(out) >= limit:
            return out, margins
        logits = decoder.feed(out[-1:], True)


def recall_case(speaker, r, distance, heldout=True):
    """A chat in which the value of one planted fact lies exactly `distance` chunks before the place where the answer
    needs it; between them turns of the training mixture (stories, sums, other facts, ...), before them some more."""
    tok, chunk = speaker.tok, speaker.c.chunk
    while True:
        store, messages = {}, []
        if r.random() < 0.3:
            messages.append(("system", r.choice(SYSTEM)))

        def filler():
            q, a = turn(r, store, 1.0, False)
            messages.extend((("user", q), ("assistant", strip_marks(a))))
        for _ in range(r.randint(0, 6)):
            filler()
        before = len(speaker.chat_ids(messages, False))
        q, a = plant(r, store, 1, heldout=heldout, kind="code")
        fact = list(store.values())[-1]
        if fact.ask[0] in q:  # asked at once: keep the telling only
            q, a = fact.state[0], "I will remember that."
        told = before + len(tok.header["user"]) + first_value(tok, "\n\n" + q, fact.value)
        messages += [("user", q), ("assistant", strip_marks(a))]
        for _ in range(40 + 20 * distance):
            question = r.choice(fact.ask)
            prompt = speaker.chat_ids(messages + [("user", question)])
            expected = strip_marks(fact.answer)
            needed = len(prompt) + first_value(tok, expected, fact.value) - 1
            d = needed // chunk - told // chunk
            if d == distance:
                return messages + [("user", question)], expected, len(prompt)
            if d > distance:
                break
            filler()


def first_value(tok, text, value):
    """Index of the token where the value starts."""
    return len(tok.encode(text[:text.rindex(value)]))


def share(good, total):
    return f"{100.0 * good / total:.1f} % ({good} of {total})"


def table_recall(speaker, r, counts, failures):
    rows = []
    for distance, n in counts:
        good = start = 0
        for _ in range(n):
            messages, expected, _ = recall_case(speaker, r, distance)
            text, _, margin = speaker.answer(messages, 40)
            if text == expected:
                good += 1
            else:
                failures.append((f"recall at distance {distance}: {messages[-1][1]} (expected: {expected})", text, margin))
        rows.append((distance, good, n))
        print("recall", distance, share(good, n), flush=True)
    return rows


def count(speaker, name, cases, failures, accept=None):
    good = total = 0
    for messages, expected in cases:
        text, _, margin = speaker.answer(messages)
        ok = accept(text, expected) if accept else text == expected
        good += ok
        total += 1
        if not ok:
            failures.append((f"{name}: {messages[-1][1]}" + (f" (expected: {expected})" if expected else ""), text, margin))
    print(name, share(good, total), flush=True)
    return name, good, total


def unknown_cases(speaker, r, n):
    """Asked for something never told: alone, and in chats where other facts (often alike) were told."""
    for i in range(n):
        store, messages = {}, []
        if i % 2:
            while len(speaker.chat_ids(messages)) < r.randint(60, 600):
                q, a = turn(r, store, 0.6, False)
                messages += [("user", q), ("assistant", strip_marks(a))]
        q, a = ask(r, store, 1.0)
        yield messages + [("user", q)], strip_marks(a)


def story_ok(text, subject):
    """Ends by itself, names its subject at least twice, repeats no sentence, has no stray symbols."""
    word = subject.split(" and ")[0].split()[-1]
    sentences = [s.strip() for s in re.split(r"(?<=[.!?])\s", text)]
    return text.endswith((".", "!", '"')) and text.count(word) >= 2 and len(set(sentences)) == len(sentences) and len(sentences) >= 5


def check_transformers(speaker):
    """Largest |difference| of the logits over their rms, between the decoder here and transformers, on one long chat."""
    ids = speaker.chat_ids([m for m in recall_case(speaker, random.Random(5), 4)[0]])
    with torch.no_grad():
        ref = transformers_model(speaker.c, speaker.params)(torch.tensor([ids])).logits[0]
    ours = Decoder(speaker.c, speaker.params).feed(ids)
    return float((ours - ref).abs().max() / ref.pow(2).mean().sqrt()), len(ids)


def write_figures(path, checkpoint, readme, quick=False):
    start, speaker, r = time.time(), Speaker(path), random.Random(20261121)
    n = 8 if quick else 100
    state = torch.load(checkpoint)
    failures, rows = [], []
    recall = table_recall(speaker, r, [(d, n) for d in range(5)], failures)
    far = table_recall(speaker, r, [(d, max(2, n // 5)) for d in (8, 16, 32)], [])
    far += table_recall(speaker, random.Random(56), [(56, max(2, n // 5))], [])  # nearly the whole context length
    one = lambda pair: ([("user", pair[0])], strip_marks(pair[1]))
    rows.append(count(speaker, "sums of numbers to 99, held-out pairs", (one(sum_turn(r, True, "+")) for _ in range(3 * n)), failures))
    rows.append(count(speaker, "differences of numbers to 99, held-out pairs", (one(sum_turn(r, True, "-")) for _ in range(n)), failures))
    rows.append(count(speaker, "\"I do not know\" when nothing was planted", unknown_cases(speaker, r, 2 * n), failures))
    rows.append(count(speaker, "outside questions on held-out topics get the fallback", (one(outside(r, True)) for _ in range(2 * n)), failures))
    rows.append(count(speaker, "outside questions written by hand get the fallback", (([("user", q)], FALLBACK) for q in REAL_QUESTIONS), failures))
    rows.append(count(speaker, "simple questions (all kinds seen in training)", (one(knowledge(r)) for _ in range(n)), failures))
    rows.append(count(speaker, "greetings and questions about itself (seen in training)", (one(manners(r)) for _ in range(n // 2)), failures))

    def stories():
        for _ in range(n // 2):
            q, _ = story_turn(r)
            while " about " not in q:
                q, _ = story_turn(r)
            yield [("user", q)], q.split(" about ", 1)[1].rstrip(".?")
    rows.append(count(speaker, "stories that end, name their subject twice and repeat no sentence", stories(), failures, story_ok))
    worst_diff, tokens = check_transformers(speaker)
    size = os.path.getsize(path)
    trained = f"Trained {state['seconds'] / 60:.0f} minutes: {state['step']:,} steps, {state['tokens'] / 1e6:.1f} million tokens, seed {state['seed']}."
    if "vision" in state:  # how the text model was trained before it learned to see stays as it is told
        with open(readme) as f:
            trained = next(line for line in f.read().splitlines() if line.startswith("Trained "))
    lines = [f"Version {version_of(path)}; {size:,} bytes; SHA-256 `{hashlib.sha256(open(path, 'rb').read()).hexdigest()}`.",
             trained,
             "All answers are greedy, from the de-quantised weights in float32. A case counts only when the whole answer is exact.", "",
             "| whole answers recalled, held-out (name, code) pairs, by distance in chunks | |", "|---|---|"]
    lines += [f"| {d} | {share(g, t)} |" for d, g, t in recall]
    g, t = sum(x[1] for x in recall), sum(x[2] for x in recall)
    lines += [f"| **0 to 4** | **{share(g, t)}** |"] + [f"| {d} (longer than any row of the training) | {share(g, t)} |" for d, g, t in far]
    lines += ["", "| other | |", "|---|---|"] + [f"| {name} | {share(g, t)} |" for name, g, t in rows]
    lines += ["", f"Logits of this decoder and of transformers' `Llama4ForCausalLM` (float32, eager) on a chat of {tokens} tokens: largest difference {worst_diff:.1e} of the rms.", "",
              "Ten answers as they came; the last four are the worst found: wrong, and given with the least doubt.", ""]
    shown = ["Tell me a story about a fox.", "Who are you?", "What is 47 + 38?", "What does a rabbit eat?", "What is the code of the blue box?", "How do I build a nuclear reactor?"]
    for q in shown:
        lines += [f"> **{q}**  ", f"> {speaker.answer([('user', q)])[0]}", ""]
    failures.sort(key=lambda f: -f[2])
    for q, text, margin in failures[:4]:
        lines += [f"> **{clean(q)}**  ", f"> {clean(text)}", ""]
    block = "\n".join(lines)
    with open(readme) as f:
        body = f.read()
    body = re.sub(r"(<!-- figures -->).*?(<!-- /figures -->)", lambda m: m.group(1) + "\n" + block + "\n" + m.group(2), body, flags=re.S)
    with open(readme, "w") as f:
        f.write(body)
    print(block)
    print(f"evaluated in {(time.time() - start) / 60:.1f} minutes; {len(failures)} failures:")
    for q, text, margin in failures:
        print(f"  [{margin:.2f}] {q}\n       -> {text}")


def clean(s):
    return s.replace("\n", " ").replace("<", "&lt;").replace("*", "\\*")


# ---------------------------------------------------------------- expectations

CHATS = [
    [("user", "Hello!")], [("user", "Who are you?")], [("user", "What can you do?")], [("user", "How are you?")], [("user", "Thank you!")], [("user", "What is libscout?")],
    [("user", "What is 2 + 2?")], [("user", "What is 23 + 45?")], [("user", "What is 47 + 38?")], [("user", "What is 90 - 17?")], [("user", "How much is 99 plus 99?")],
    [("user", "What does a rabbit eat?")], [("user", "What sound does a cow make?")], [("user", "What is the opposite of hot?")], [("user", "What is the capital of France?")],
    [("user", "What comes after Monday?")], [("user", "How many legs does a spider have?")], [("user", "Count from 3 to 9.")], [("user", "Which is bigger, 45 or 23?")],
    [("user", "What is the code of the blue box?")], [("user", "Where is the red key?")], [("user", "What is my name?")],
    [("user", "What is the meaning of life?")], [("user", "Write a program in Python.")], [("user", "Who painted the Mona Lisa?")],
    [("user", "The code of the blue box is 4821. What is the code of the blue box?")],
    [("system", "You are a helpful assistant."), ("user", "My name is Clara."), ("assistant", "Nice to meet you, Clara!"), ("user", "What is 12 + 30?"),
     ("assistant", "12 + 30 = 42."), ("user", "What is my name?")],
    [("system", "The code of the green lamp is 7302. The red key is under the bed."), ("user", "Where is the red key?"), ("assistant", "The red key is under the bed."),
     ("user", "What is the code of the green lamp?")],
    [("user", "Please remember: the code of the blue box is 4821."), ("assistant", "I will remember that."), ("user", "What is the code of the green box?")],
    [("user", "Tell me a story about a fox.")], [("user", "Tell me a story about a girl named Anna.")], [("user", "Write a short story about a dragon.")],
]
RAW = ["Once upon a time", "The code of the blue box is 4821. The red key is under the bed. The code of the blue box is", "The opposite of hot is", "A cow says", "12 + 30 ="]


def write_expectations(path, output):
    """Everything in the tests that depends on the weights: prompts with the greedy ids, texts and margins, and recall cases."""
    speaker, r = Speaker(path), random.Random(7)
    tok, entries = speaker.tok, []

    def entry(ids_in, limit, **what):
        text, ids, steps = speaker.complete(ids_in, limit, True)
        clear = next((i for i, m in enumerate(steps) if m < 0.5), len(steps))
        return {**what, "prompt_tokens": len(ids_in), "ids": ids, "text": text, "margin": round(min(steps), 3), "clear": clear}
    as_dicts = lambda ms: [{"role": a, "content": b} for a, b in ms]
    for m in CHATS:
        ids = speaker.chat_ids(m)
        entries.append(entry(ids, 160, kind="chat", messages=as_dicts(m), prompt_ids=ids))
    for text in RAW:
        ids = [tok.bos] + tok.encode(text)
        entries.append(entry(ids, 24, kind="raw", prompt=text, prompt_ids=ids))
    recall = []
    for distance in range(5):
        for _ in range(20):
            messages, expected, _ = recall_case(speaker, r, distance)
            recall.append(entry(speaker.chat_ids(messages), 40, distance=distance, messages=as_dicts(messages), expected=expected))
    document = {
        "about": "Greedy answers of scout-tiny.gguf, float32, from its de-quantised weights. 'margin' is the smallest top-1 minus top-2 logit over all steps; "
                 "'clear' counts the leading ids whose margin is at least 0.5: compare those exactly, and everything where margin >= 0.5. 'ids' end with the stop "
                 "token unless the limit (160 chat, 24 raw, 40 recall) came first. Regenerate: python examples/models/train.py --expectations",
        "model": os.path.basename(path), "version": version_of(path), "sha256": hashlib.sha256(open(path, "rb").read()).hexdigest(),
        "vocabulary": speaker.c.vocab, "stop": sorted(tok.stop), "prompts": entries, "recall": recall}
    with open(output, "w") as f:
        f.write(dump(document))
    right = sum(e["text"] == e["expected"] for e in recall)
    print(f"{len(entries)} prompts, {len(recall)} recall cases ({right} answered as expected), {os.path.getsize(output)} bytes")


def dump(document):
    """JSON with one prompt or case per line."""
    lines = []
    for key, value in document.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = "[\n" + ",\n".join("  " + json.dumps(v, ensure_ascii=False) for v in value) + "\n ]"
        else:
            value = json.dumps(value, ensure_ascii=False)
        lines.append(f" {json.dumps(key)}: {value}")
    return "{\n" + ",\n".join(lines) + "\n}\n"
