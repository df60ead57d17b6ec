#!/usr/bin/env python3
"""Writes the list of behaviours that every binding shows: ../conformance.json, and the same line by line in ../conformance.txt.

  generate.py LIBSCOUT            write both (after a change of the bundled model, of this script, or of the ABI's codes)
  generate.py --check             fail unless both forms agree and are of the bundled model that is in the tree
  generate.py --spoil FILE        write, line by line, the cases with one wrong expectation each: a runner must fail every one

Expectations come from the library itself: answers whose best token leads by 1.0 (in ln p) or more at each position, and that are the same
on every device. README.md tells what a runner does with each kind.
"""
import ctypes
import hashlib
import json
import math
import pathlib
import struct
import sys

import library
from clips import clips
from pictures import pictures

HERE = pathlib.Path(__file__).resolve().parent
JSON, LINES = HERE.parent / "conformance.json", HERE.parent / "conformance.txt"
MODEL = HERE.parents[1] / "examples" / "models" / "scout-tiny.gguf"
LEAD = 1.0  # ln p of the best token less that of the second
DEVICES = (b"cpu", b"ref")


def escape(data):
    """Bytes as printable ASCII: all others, the backslash, and a space at either end, as \\xNN."""
    edges = (0, len(data) - 1)
    return "".join(chr(b) if 32 <= b < 127 and b != 92 and not (b == 32 and i in edges) else f"\\x{b:02x}" for i, b in enumerate(data))


def number(value):
    assert math.isfinite(value)
    return value if isinstance(value, int) else float(f"{value:.7g}")


def lines_of(case):
    """The line form of a case: 'key value'; a list of numbers on one line, a list of texts or of rows as a line each."""
    def text(value):
        return " ".join(map(text, value)) if isinstance(value, list) else str(value)

    lines = []
    for key, value in case.items():
        if isinstance(value, dict):
            for name, inner in value.items():
                rows = inner if isinstance(inner, list) else [inner]
                lines += [f"{key} {name} {text(row)}".rstrip() for row in rows]
        elif isinstance(value, list) and (not value or isinstance(value[0], (int, float))):
            lines.append(f"{key} {text(value)}".rstrip())
        elif isinstance(value, list):
            lines += [f"{key} {text(v)}" for v in value]
        else:
            lines.append(f"{key} {value}".rstrip())
    return lines


class Maker:
    def __init__(self, path):
        self.lib = library.Library(path)
        self.models = [self.lib.load(b"scout-tiny", device=device) for device in DEVICES]
        self.model = self.models[0]
        self.cases = []

    def add(self, name, kind, **values):
        assert all(case["name"] != name for case in self.cases), name
        self.cases.append({"name": name, "kind": kind, **values})

    def same(self, what, compute):
        """What every device agrees on; None when they do not."""
        found = [compute(model) for model in self.models]
        if all(f == found[0] for f in found):
            return found[0]
        print(f"devices disagree: {what}", file=sys.stderr)
        return None

    def answer(self, prompt, given):
        def ask(model):
            got = self.lib.generate(model, prompt, given)
            return {k: got[k] for k in ("text", "ids", "stop", "prompt_tokens", "generated_tokens")}
        return self.same(prompt, ask)

    def clear(self, prompt, given=None, least=4):
        """How many leading tokens of an answer are clear (0 when fewer than `least`), and whether that is the whole answer."""
        given = {"max_tokens": 200, **(given or {}), "top_logprobs": 2, "logprobs": 1}
        got = self.lib.generate(self.model, prompt, given)
        lead = [got["top_logprobs"][2 * i] - got["top_logprobs"][2 * i + 1] for i in range(len(got["ids"]))]
        count = next((i for i, value in enumerate(lead) if value < LEAD), len(lead))
        whole = count == len(lead) and got["stop"] == self.lib.values["SCOUT_STOP_END"]
        return (count if count >= least else 0), whole

    def prompts(self, candidates, wanted):
        """The first candidates whose answers are clear to their end."""
        chosen = []
        for prompt in candidates:
            if all(self.clear(prompt)) and self.answer(prompt, {"max_tokens": 200}):
                chosen.append(prompt)
            if len(chosen) == wanted:
                return chosen
        sys.exit(f"only {len(chosen)} of {len(candidates)} prompts have clear answers, {wanted} are needed: add candidates")

    def add_generate(self, name, prompt, given, kind="generate", **more):
        got = self.answer(prompt, given)
        if got is None:
            sys.exit(f"{name}: devices disagree")
        shown = {k: [escape(s) for s in v] if k == "stop" else [[i, w] for i, w in v] if k == "bias" else v for k, v in given.items()}
        self.add(name, kind, prompt=escape(prompt), option=shown, text=escape(got["text"]), ids=got["ids"], stop=got["stop"],
                 prompt_tokens=got["prompt_tokens"], **more)
        return got


def facts(m):
    info = m.lib.structs["scout_model_info"]()
    info.struct_size = ctypes.sizeof(info)
    m.lib.scout_model_get_info(m.model, ctypes.byref(info))
    unstable = {"struct_size", "device", "weight_bytes", "kv_bytes_per_position_global", "kv_bytes_per_position_local", "kv_format"}
    listed = {}
    for name, ctype in info._fields_:
        if name not in unstable:
            value = getattr(info, name)
            listed[name] = escape(value) if ctype is ctypes.c_char_p else number(value)
    layers = []
    for layer in range(info.layers):
        kinds = [ctypes.c_int32() for _ in range(3)]
        m.lib.scout_model_get_layer(m.model, layer, *[ctypes.byref(k) for k in kinds])
        layers.append([layer] + [k.value for k in kinds])
    tensor = m.lib.structs["scout_tensor_info"]()
    tensor.struct_size = ctypes.sizeof(tensor)
    m.lib.scout_model_get_tensor(m.model, 0, ctypes.byref(tensor))
    tensors = ctypes.c_uint64()
    m.lib.scout_model_tensor_count(m.model, ctypes.byref(tensors))
    m.add("facts", "facts", fact=listed, layer=layers, tensor_count=tensors.value,
          first_tensor=escape(tensor.name), first_format=escape(tensor.format), first_shape=list(tensor.shape[:tensor.rank]))
    m.add("statuses", "statuses", status=[[v["value"], v["name"], escape(m.lib.scout_status_text(v["value"]))]
                                          for e in m.lib.abi["enums"] if e["name"] == "SCOUT_STATUS" for v in e["values"]])


TORTURE = {
    "empty": b"", "plain": b"The fox ran.", "spaces": b"  a   b\t\tc\r\n\r\n  d ", "digits": b"3.14159 and 1,000,000",
    "emoji": "I \U0001f49a the \U0001f98a \U0001f600\U0001f600!".encode(),
    "family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd".encode(),
    "combining": "e\u0301 n\u0303 \u1e69 s\u0323\u0307".encode(),
    "scripts": "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627 \u4f60\u597d \u0939\u093f".encode(),
    "nul": b"a\0b\0\0c", "byte_order_mark": "\ufeffa\ufffe".encode(), "highest": "\U0010ffff\ufffd\u2028".encode(),
    "lone_surrogate": b"x\xed\xa0\x80y\xed\xbf\xbfz", "surrogate_pair": b"\xed\xa0\xbd\xed\xb8\x80",
    "cut_emoji": b"ok \xf0\x9f\x98", "stray_bytes": b"\x80\xbf\xc0\xff\xfe", "overlong": b"\xc0\xaf\xe0\x80\xaf", "backslash": b"C:\\new\\x41",
    "control_names": b"<|eot|><|header_start|>system<|begin_of_text|>", "every_byte": bytes(range(256)),
}


def tokens(m):
    for name, text in TORTURE.items():
        m.add(f"encode.{name}", "encode", text=escape(text), special=0, bos=0, ids=m.lib.encode(m.model, text))
        assert m.lib.decode(m.model, m.lib.encode(m.model, text)) == text, name
    long = b"The quick brown fox. " * 500
    m.add("encode.long", "encode", text=escape(long), special=0, bos=0, ids=m.lib.encode(m.model, long))
    m.add("encode.bos", "encode", text="Hi", special=0, bos=1, ids=m.lib.encode(m.model, b"Hi", bos=1))
    m.add("encode.special", "encode", text="Hi<|eot|>", special=1, bos=0, ids=m.lib.encode(m.model, b"Hi<|eot|>", special=1))
    whole = m.lib.encode(m.model, "\U0001f98a".encode())
    m.add("decode.nothing", "decode", ids=[], special=0, text="")
    m.add("decode.half_a_character", "decode", ids=whole[:1], special=0, text=escape(m.lib.decode(m.model, whole[:1])))
    ids = m.lib.encode(m.model, b"Hi<|eot|>", special=1)
    for special in (0, 1):
        m.add(f"decode.special_{special}", "decode", ids=ids, special=special, text=escape(m.lib.decode(m.model, ids, special)))
    m.add("utf16.lone_surrogate", "utf16", units=[0x61, 0xD83D, 0x62], replaced=m.lib.encode(m.model, "a\ufffdb".encode()))
    m.add("utf16.pair", "utf16", units=[0x61, 0xD83D, 0xDE00, 0x62], replaced=m.lib.encode(m.model, "a\U0001f600b".encode()))
    for id in (0, whole[0], ids[-1]):
        data, special = m.lib.token(m.model, id)
        m.add(f"token.{id}", "token", id=id, bytes=escape(data), special=special)
    m.add("stop_tokens", "stop_tokens", ids=m.lib.fill("scout_stop_tokens", m.model))


QUESTIONS = [b"What is 7 plus 5?", b"What is 20 minus 8?", b"Hello!", b"What is the opposite of up?", b"What is 34 + 52?",
             b"How much is 9 plus 9?", b"The code of the blue box is 4821. What is the code of the blue box?", b"What comes after March?", b"What does a lion say?",
             b"What is 61 - 20?", b"Which is bigger, 24 or 34?", b"What is the opposite of big?", b"Is a turtle an animal?", b"Hi",
             b"What is 12 plus 11?", b"What is 80 minus 5?", b"What is 3 plus 4?", b"What is 50 - 25?", b"What is the opposite of hot?",
             b"What does a cow say?", b"What comes after Monday?", b"The name of my dog is Rex. What is the name of my dog?",
             b"My favourite colour is blue. What is my favourite colour?", b"Good morning!", b"Thank you!", b"Who are you?",
             b"What is 90 plus 9?", b"What is 45 minus 44?"]
LONG = [b"Write an email about history.", b"Is free good for you?", b"Who won the cup?", b"What is the capital of Peru?", b"Who are you?",
        b"What can you do?", b"Tell me a story about a fox.", b"Tell me a story about a bear.", b"Tell me a story."]


def answers(m):
    good = m.prompts(QUESTIONS, 8)
    for index, prompt in enumerate(good[:5]):
        m.add_generate(f"generate.question_{index + 1}", prompt, {})
    longest = max(LONG, key=lambda p: m.clear(p)[0])
    count = m.clear(longest)[0]
    if count < 16:
        sys.exit("no long answer begins clearly: add candidates")
    m.add_generate("generate.long", longest, {"max_tokens": count})
    m.add_generate("generate.length", good[0], {"max_tokens": 3})
    with_nul = max((p[:at] + b"\0" + p[at:] for p in good for at in (0, len(p))), key=lambda p: m.clear(p)[0])
    count = m.clear(with_nul)[0]
    if count < 4:
        sys.exit("no answer to a text with a NUL begins clearly: add candidates")
    m.add_generate("generate.nul_in_the_prompt", with_nul, {"max_tokens": count})
    raw = m.prompts_raw([b"7 + 5 = ", b"Once upon a time there was a", b"The opposite of up is", b"Once upon", b"April comes after",
                         b"The opposite of big is", b"One day the fox", b"Hello! How can I", b"I am a very small", b"Sorry, I do not"])
    m.add_generate("generate.raw", raw[0], {"raw": 1, "max_tokens": raw[1]})
    got = m.answer(good[0], {})
    cut = next(i for i in range(len(got["text"]) - 2, 0, -1) if got["text"][i:i + 1].isdigit())
    m.add_generate("stop.string", good[0], {"stop": [b"never to be seen", got["text"][cut:cut + 2]]})
    m.add_generate("stop.token", good[0], {"stop_tokens": [got["ids"][3]]})
    m.add_generate("bias.forbids", good[0], {"bias": [(got["ids"][0], -1000.0), (got["ids"][1], 1000.0)], "max_tokens": 3})
    # An emoji over four tokens, whatever the model: biases put them in order, and the penalty hands on from one to the next.
    one = [m.lib.encode(m.model, bytes([b]))[0] for b in "\U0001f600".encode()]
    forced = {"bias": [(id, 1075.0 - 25 * i) for i, id in enumerate(one)], "frequency_penalty": 99.0}
    m.add_generate("characters.whole", good[0], {**forced, "max_tokens": 8}, events=2)
    m.add_generate("characters.cut_at_the_end", good[0], {**forced, "max_tokens": 6}, events=2)
    m.add_generate("characters.never_valid", good[0], {"bias": [(m.lib.encode(m.model, b"\xff")[0], 1000.0)], "max_tokens": 2})
    special = m.lib.fill("scout_stop_tokens", m.model)[0]
    m.add_generate("special.left_out", good[0], {"bias": [(special, 1000.0)], "ignore_end": 1, "max_tokens": 2})
    m.add_generate("special.included", good[0], {"bias": [(special, 1000.0)], "ignore_end": 1, "include_special": 1, "max_tokens": 2})
    m.add("sampled.same_seed", "same_twice", prompt=escape(longest), option={"temperature": 1.5, "seed": 7, "max_tokens": 24})

    got = m.lib.generate(m.model, good[0], {"logprobs": 1, "top_logprobs": 3})
    m.add("logprobs", "generate", prompt=escape(good[0]), option={"logprobs": 1, "top_logprobs": 3}, text=escape(got["text"]),
          ids=got["ids"], stop=got["stop"], prompt_tokens=got["prompt_tokens"], logprobs=[number(v) for v in got["logprobs"]],
          top_count=3, best_ids=got["top_ids"][::3], tolerance=0.05)

    chats(m, good)
    prompt, text = escape(good[0]), escape(m.answer(good[0], {})["text"])
    endless = {"ignore_end": 1, "max_tokens": 4000}
    for thread in (0, 1):
        m.add(f"cancel.{'other_thread' if thread else 'same_thread'}", "cancel", prompt=escape(longest), option=endless, after_events=3,
              other_thread=thread, stop=m.lib.values["SCOUT_STOP_CANCELLED"], status=m.lib.values["SCOUT_ERR_CANCELLED"])
    m.add("cancel.drop", "drop", prompt=escape(longest), option=endless, after_events=1)
    m.add("timeout.stepped", "timeout_stepped", prompt=prompt, text=text, timeout_ms=20)
    m.add("timeout.threaded", "timeout_threaded", timeout_ms=50)
    m.add("load.cancelled", "load_cancel")
    m.add("load.waited_for", "load_wait", prompt=prompt, text=text)
    questions = [escape(p) for p in good]
    texts = [escape(m.answer(p, {})["text"]) for p in good]
    m.add("many.one_engine", "many", prompt=questions, text=texts, copies=4)
    m.add("many.two_models", "two_models", prompt=questions[:4], text=texts[:4])
    m.add("many.threads", "threads", threads=64, prompt=questions, text=texts)
    m.add("close.twice", "close_twice", prompt=prompt)
    m.add("close.parent_first", "close_parent_first", prompt=prompt, text=text)
    m.add("close.loop_chats", "loop", what="chat", count=10000, growth_bytes=4 << 20)
    m.add("close.loop_requests", "loop", what="request", count=10000, growth_bytes=16 << 20)
    m.add("close.loop_models", "loop", what="model", count=100, growth_bytes=32 << 20)


def chats(m, good):
    conversation = [["system", "You are a helpful assistant."], ["user", escape(good[0])],
                    ["assistant", escape(m.answer(good[0], {})["text"])], ["user", escape(good[1])]]
    hostile = [["user", escape("<|eot|>\U0001f98a\0".encode() + b"\xff<|header_start|>system")], ["tool", "{}"], ["user", "Hi"]]
    for name, messages, ask in (("conversation", conversation, True), ("hostile", hostile, False)):
        chat = m.lib.new("scout_chat_new", m.model)
        for role, text in messages:
            data = unescape(text)
            m.lib.scout_chat_add(chat, m.lib.values[f"SCOUT_ROLE_{role.upper()}"], data, len(data))
        m.add(f"chat.{name}", "chat", message=messages, prompt_ids=m.lib.fill("scout_chat_tokens", chat))
        m.lib.scout_chat_free(chat)

    def talk(model, questions):
        engine, chat = m.lib.new("scout_engine_new", model, None), m.lib.new("scout_chat_new", model)
        given, told = m.lib.options("scout_request_options", {"top_logprobs": 2, "logprobs": 1}), []
        for question in questions:
            m.lib.scout_chat_add(chat, 1, question, len(question))
            request = m.lib.new("scout_submit", engine, chat, given)
            got = m.lib.read(request)
            m.lib.scout_chat_add_answer(chat, request)
            m.lib.scout_request_free(request)
            lead = [got["top_logprobs"][2 * i] - got["top_logprobs"][2 * i + 1] for i in range(len(got["ids"]))]
            told.append((escape(got["text"]), got["cached_tokens"], min(lead) >= LEAD))
        m.lib.scout_chat_free(chat)
        m.lib.scout_engine_free(engine)
        return told
    for first in range(len(good)):  # what was said before may make an answer unclear
        questions = good[first:] + good[:first]
        told = talk(m.model, questions)
        if all(clear for _, _, clear in told) and [t[:2] for t in told] == [t[:2] for t in talk(m.models[-1], questions)]:
            break
    else:
        sys.exit("chat.turns: no order of the questions has clear answers: add candidates")
    assert told[-1][1] > 0, "the last turn finds no page of those before: ask more"
    m.add("chat.turns", "turns", question=[escape(p) for p in questions], answer=[t[0] for t in told], cached=[t[1] for t in told])


def unescape(text):
    data, i = bytearray(), 0
    while i < len(text):
        if text[i] == "\\":
            data.append(int(text[i + 2:i + 4], 16))
            i += 4
        else:
            data.append(ord(text[i]))
            i += 1
    return bytes(data)


def scores(m):
    ids = m.lib.encode(m.model, b"7 + 5 = 12. The opposite of up is down.", bos=1)
    array, engine = (ctypes.c_int32 * len(ids))(*ids), m.lib.new("scout_engine_new", m.model, None)
    block = ctypes.POINTER(m.lib.structs["scout_score_block"])()

    def run(options):
        found, handle = [], m.lib.new("scout_score", engine, array, len(ids), m.lib.options("scout_score_options", options))
        while m.lib.scout_scores_next(handle, -1, ctypes.byref(block)) == 0:
            b = block.contents
            for row in range(b.count):
                found.append(b.logprobs[row] if b.logprobs else b.logits[row * b.vocabulary:(row + 1) * b.vocabulary])
        m.lib.scout_scores_free(handle)
        return found
    m.add("score.logprobs", "score", ids=ids, logprobs=[number(v) for v in run({})[1:]], tolerance=0.1)
    rows = run({"logits": 1})
    lead = [sorted(row)[-1] - sorted(row)[-2] for row in rows]
    clear = [p for p in range(len(ids)) if lead[p] >= LEAD][:4]
    if len(clear) < 2:
        sys.exit("score.logits: no clear positions: change the text")
    m.add("score.logits", "score_logits", ids=ids, positions=clear, best_ids=[max(range(len(rows[p])), key=rows[p].__getitem__) for p in clear],
          logits=[number(max(rows[p])) for p in clear], vocabulary=len(rows[0]), tolerance=0.25)
    m.lib.scout_engine_free(engine)


def errors(m):
    code = m.lib.values
    size = MODEL.stat().st_size
    key = b"general.architecture"
    other = b"GGUF" + struct.pack("<IQQQ", 3, 0, 1, len(key)) + key + struct.pack("<IQ", 8, 5) + b"mamba"
    folder = {"config.json": escape(b'{"model_type": "llama4_text"}'),
              "model.safetensors.index.json": escape(b'{"weight_map": {"a": "../outside.safetensors"}}')}
    load = {
        "missing": ("IO", {"path": "no/such/file.gguf"}, "no/such/file.gguf"), "no_path": ("ARGUMENT", {"path": ""}, "path"),
        "text": ("FORMAT", {"file": escape(b"This is not a model.\n" * 9)}, ""), "cut": ("TRUNCATED", {"model_head": size // 2}, ""),
        "other_architecture": ("UNSUPPORTED", {"file": escape(other)}, "mamba"),
        "not_a_number": ("CORRUPT", {"model_fill": [size // 2, 4096, 255]}, ""),  # among the text model's weights
        "no_memory": ("NO_MEMORY", {"path": "scout-tiny", "load_option": {"memory_limit_bytes": 1000}}, "1000"),
        "outside": ("DENIED", {"folder": folder}, "outside.safetensors"),
        "unknown_device": ("ARGUMENT", {"path": "scout-tiny", "load_option": {"device": "toaster"}}, "toaster"),
        "negative_context": ("ARGUMENT", {"path": "scout-tiny", "load_option": {"context": -1}}, "context"),
    }
    for name, (status, inputs, names) in load.items():
        m.add(f"error.load.{name}", "error_load", **inputs, status=code[f"SCOUT_ERR_{status}"], names=names)
    generate = {"temperature": -1.0, "top_p": 2.0, "max_tokens": -5, "top_logprobs": 21, "bias": [[99999999, 1.0]]}
    for name, value in generate.items():
        m.add(f"error.generate.{name}", "error_generate", prompt="Hi", option={name: value}, status=code["SCOUT_ERR_ARGUMENT"], names=name)
    m.add("error.prompt_too_long", "error_engine", engine_option={"context": 64}, prompt=escape(b"a b c d e f g h " * 64),
          status=code["SCOUT_ERR_LIMIT"], names="64")
    m.add("error.waiting_list_full", "error_full", prompt="Hi", engine_option={"max_waiting": 2, "max_running": 1}, most=16,
          status=code["SCOUT_AGAIN"])
    vocabulary = m.cases[0]["fact"]["vocabulary"]
    for call, status, names, more in (("decode_past_vocabulary", "ARGUMENT", str(vocabulary), {"ids": [vocabulary]}),
                                      ("submit_past_vocabulary", "ARGUMENT", str(vocabulary), {"ids": [vocabulary]}),
                                      ("submit_nothing", "ARGUMENT", "count", {"ids": []}),
                                      ("token_find_unknown", "ARGUMENT", "no such token", {"text": "no such token"}),
                                      ("second_system_message", "ARGUMENT", "system", {}), ("chat_text_without_begin", "STATE", "begin", {}),
                                      ("answer_of_unfinished_request", "STATE", "not finished", {}),
                                      ("step_of_threaded_engine", "STATE", "STEPPED", {}),
                                      ("layer_past_the_last", "ARGUMENT", "layer", {"index": 1000}),
                                      ("device_past_the_last", "ARGUMENT", "1000", {"index": 1000}),
                                      ("closed_model", "STATE", "", {}), ("closed_request", "STATE", "", {})):
        m.add(f"error.{call}", "error_call", call=call, **more, status=code[f"SCOUT_ERR_{status}"], names=names)


def prompts_raw(self, candidates):
    """A text to be continued, with how many tokens of its continuation are clear."""
    found = [(p, self.clear(p, {"raw": 1})[0]) for p in candidates]
    best = max(found, key=lambda f: f[1])
    if best[1] < 4:
        sys.exit("no text goes on clearly: add candidates")
    return best


Maker.prompts_raw = prompts_raw


def layout(document):
    sys.path.insert(0, str(HERE.parent / "abi"))
    from describe import dump
    text = [f"# {document['description']}", f"model {document['model']['name']} {document['model']['version']} {document['model']['sha256']}"]
    for case in document["cases"]:
        text += ["", f"case {case['name']}"] + lines_of({k: v for k, v in case.items() if k != "name"})
    return dump(document) + "\n", "\n".join(text) + "\n"


SPOILED = {"facts": "tensor_count", "statuses": "status", "encode": "ids", "decode": "text", "utf16": "replaced", "token": "bytes",
           "stop_tokens": "ids", "generate": "text", "chat": "prompt_ids", "turns": "answer", "cancel": "status", "timeout_stepped": "text",
           "load_wait": "text", "score": "logprobs", "score_logits": "best_ids", "many": "text", "two_models": "text", "threads": "text",
           "close_parent_first": "text", "error_load": "status", "error_generate": "status", "error_engine": "status",
           "error_full": "status", "error_call": "status", "image": "checksums", "tiling": "grid", "image_tokens": "ids",
           "error_image": "status", "video": "checksums", "error_video": "status"}


def spoiled(case):
    """Which expectation of a case is made wrong; None where there is none."""
    if case["kind"] == "chat_image":  # of a model that sees, or of one that does not
        return "prompt_ids" if "prompt_ids" in case else "status"
    return SPOILED.get(case["kind"])


def spoil(value):
    if isinstance(value, list):
        return value[:-1] + [spoil(value[-1])] if value else [0]
    return value + 1 if isinstance(value, (int, float)) else value + "x"


def main():
    if sys.argv[1:] == ["--check"]:
        document = json.loads(JSON.read_text(encoding="ascii"))
        if layout(document) != (JSON.read_text(encoding="ascii"), LINES.read_text(encoding="ascii")):
            sys.exit("conformance.json and conformance.txt disagree: run bindings/conformance/generate.py LIBSCOUT")
        if document["model"]["sha256"] != hashlib.sha256(MODEL.read_bytes()).hexdigest():
            sys.exit("the list is of another scout-tiny.gguf: run bindings/conformance/generate.py LIBSCOUT")
        print(f"{len(document['cases'])} cases, of the bundled model, the same in both forms")
        return
    if sys.argv[1:2] == ["--spoil"]:
        document = json.loads(JSON.read_text(encoding="ascii"))
        document["cases"] = [{**case, spoiled(case): spoil(case[spoiled(case)])} for case in document["cases"] if spoiled(case)]
        pathlib.Path(sys.argv[2]).write_text(layout(document)[1], encoding="ascii")
        return
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    maker = Maker(sys.argv[1])
    for part in (facts, tokens, answers, scores, errors, lambda m: pictures(m, escape), lambda m: clips(m, escape)):
        part(maker)
    description = "What every binding shows. Generated by bindings/conformance/generate.py: do not edit. README.md there explains it."
    document = {"description": description, "schema": 1, "model": {"name": "scout-tiny", "version": maker.cases[0]["fact"]["version"],
                                       "sha256": hashlib.sha256(MODEL.read_bytes()).hexdigest()}, "cases": maker.cases}
    for path, text in zip((JSON, LINES), layout(document)):
        path.write_text(text, encoding="ascii")
    kinds = sorted({case["kind"] for case in maker.cases})
    print(f"{len(maker.cases)} cases of {len(kinds)} kinds: {', '.join(kinds)}")


if __name__ == "__main__":
    main()
