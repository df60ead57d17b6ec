"""The list of behaviours (bindings/conformance) against the Python package. Usage: conformance.py [CASE...]"""
import gc
import json
import math
import pathlib
import sys
import tempfile
import threading
import time

import pictures
import scout
import videos
from suite import Mismatch, NotApplicable, near, raises, same, unescape

BINDINGS = pathlib.Path(__file__).resolve().parents[2]
MODEL_FILE = BINDINGS.parent / "examples" / "models" / "scout-tiny.gguf"


def options(given):
    made = dict(given)
    if "stop" in made:
        made["stop"] = [unescape(text) for text in made["stop"]]
    if "bias" in made:
        made["bias"] = [(token, float(weight)) for token, weight in made["bias"]]
    return made


def read(request):
    """All events, held to the rules of every answer."""
    events = list(request)
    same("stop reasons", [False] * (len(events) - 1) + [True], [event.last for event in events])
    same("after the end", None, request.next(0))
    same("the ids", [token for event in events for token in event.ids], request.ids)
    return events


def text_of(events):
    return "".join(event.text for event in events)


def resident_bytes():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096


class Runner(pictures.Kinds, videos.Kinds):
    def __init__(self):
        self.model = scout.load("scout-tiny")

    def facts(self, case):
        info = self.model.info
        for name, value in case["fact"].items():
            if isinstance(value, float):
                near(name, [value], [info[name]], abs(value) * 1e-6)
            else:
                same(name, unescape(value).decode() if isinstance(value, str) else value, info[name])
        for index, *flags in case["layer"]:
            same("layer %d" % index, [bool(flag) for flag in flags], list(self.model.layer(index)))
        tensors = self.model.tensors
        same("tensors", case["tensor_count"], len(tensors))
        same("first tensor", [case["first_tensor"], case["first_format"], tuple(case["first_shape"])], list(tensors[0][:3]))

    def statuses(self, case):
        for status, name, words in case["status"]:
            same("words of %d" % status, words, scout.status_text(status))
            same("value of %s" % name, status, getattr(scout._native, name))
            if status not in (0, 1):
                spelled = name.replace("SCOUT_ERR_", "").replace("SCOUT_", "").title().replace("_", "") + "Error"
                same("class of %d" % status, getattr(scout, spelled), scout._errors.BY_STATUS[status])

    def encode(self, case):
        text = unescape(case["text"])
        given = {"special": bool(case["special"]), "bos": bool(case["bos"])}
        same("ids", case["ids"], self.model.encode(text, **given))
        same("count", len(case["ids"]), self.model.count_tokens(text, **given))
        if not any(given.values()):
            same("decoded", text, self.model.decode_bytes(case["ids"]))
        try:
            as_str = text.decode("utf-8")
        except UnicodeDecodeError:
            return
        same("ids of a str", case["ids"], self.model.encode(as_str, **given))

    def decode(self, case):
        same("bytes", unescape(case["text"]), self.model.decode_bytes(case["ids"], special=bool(case["special"])))

    def utf16(self, case):
        text = "".join(map(chr, case["units"]))
        same("ids", case["replaced"], self.model.encode(text))

    def token(self, case):
        name = unescape(case["bytes"])
        same("bytes", name, self.model.token_bytes(case["id"]))
        same("special", bool(case["special"]), self.model.is_special(case["id"]))
        if case["special"]:
            same("found by name", case["id"], self.model.find_token(name))

    def stop_tokens(self, case):
        same("ids", case["ids"], self.model.stop_tokens)

    def generate(self, case):
        with self.model.generate(unescape(case["prompt"]), **options(case["option"])) as request:
            events = read(request)
            same("text", unescape(case["text"]).decode(), text_of(events))
            same("ids", case["ids"], request.ids)
        same("stop", case["stop"], events[-1].stop)
        same("prompt_tokens", case["prompt_tokens"], events[-1].prompt_tokens)
        if "events" in case:
            same("events with text", case["events"], sum(event.text != "" for event in events))
        if "logprobs" in case:
            near("logprobs", case["logprobs"], [value for event in events for value in event.logprobs], case["tolerance"])
            tops = [top for event in events for top in event.top_logprobs]
            same("best tokens", [case["top_count"]] * len(tops), [len(top) for top in tops])
            same("best ids", case["best_ids"], [top[0][0] for top in tops])

    def same_twice(self, case):
        answers = [self.model.generate(unescape(case["prompt"]), **options(case["option"])).text() for _ in range(2)]
        same("second answer", answers[0], answers[1])

    def chat(self, case):
        with self.model.chat() as chat:
            for role, text in case["message"]:
                chat.add(role, unescape(text))
            same("messages", len(case["message"]), len(chat))
            same("prompt_ids", case["prompt_ids"], chat.tokens)

    def turns(self, case):
        with self.model.engine() as engine, self.model.chat() as chat:
            for question, answer in zip(case["question"], case["answer"]):
                with engine.submit(chat.user(unescape(question))) as request:
                    events = read(request)
                    same("answer", unescape(answer).decode(), text_of(events))
                    if not 0 <= events[-1].cached_tokens <= events[-1].prompt_tokens:
                        raise Mismatch("cached_tokens is %d" % events[-1].cached_tokens)
                    chat.add_answer(request)

    def cancel(self, case):
        with self.model.generate(unescape(case["prompt"]), **options(case["option"])) as request:
            for _ in range(case["after_events"]):
                next(request)
            if case["other_thread"]:
                thread = threading.Thread(target=request.cancel)
                thread.start()
                thread.join()
            else:
                request.cancel()
            last = list(request)[-1]
            same("stop", case["stop"], last.stop)
            same("status", case["status"], last.status)

    def drop(self, case):
        started = time.monotonic()
        with self.model.generate(unescape(case["prompt"]), **options(case["option"])) as request:
            for count, _ in enumerate(request, 1):
                if count == case["after_events"]:
                    break
        if time.monotonic() - started > 5:
            raise Mismatch("closing took %.1f s" % (time.monotonic() - started))

    def timeout_stepped(self, case):
        with self.model.engine(stepped=True) as engine, engine.submit(unescape(case["prompt"])) as request:
            waits = []
            for _ in range(20):  # the shortest of many: the machine may be busy
                started = time.monotonic()
                same("before a step", None, engine.next(case["timeout_ms"] / 1000))
                waits.append(time.monotonic() - started)
            if min(waits) > case["timeout_ms"] / 1000 / 2:
                raise Mismatch("waiting on a stepped engine waited %.1f ms" % (min(waits) * 1000))
            while engine.step(0.01):
                pass
            same("text", unescape(case["text"]).decode(), text_of(read(request)))

    def timeout_threaded(self, case):
        with self.model.engine() as engine:
            started = time.monotonic()
            same("event", None, engine.next(case["timeout_ms"] / 1000))
            waited = (time.monotonic() - started) * 1000
            if waited < case["timeout_ms"] - 1:
                raise Mismatch("waited %.1f ms of %d" % (waited, case["timeout_ms"]))

    def load_cancel(self, case):
        with scout.load_start("scout-tiny") as loading:
            loading.cancel()
            try:
                loading.wait().close()
            except scout.CancelledError:
                pass

    def load_wait(self, case):
        with scout.load_start("scout-tiny") as loading:
            done, total = loading.progress
            if done > total:
                raise Mismatch("progress is %d of %d" % (done, total))
            with loading.wait() as model:
                same("text", unescape(case["text"]).decode(), model.generate(unescape(case["prompt"])).text())

    def score(self, case):
        with self.model.engine() as engine, engine.score(case["ids"]) as scores:
            found = [value for block in scores for value in block.logprobs]
        same("position 0 is not a number", True, math.isnan(found[0]))
        near("logprobs", case["logprobs"], found[1:], case["tolerance"])

    def score_logits(self, case):
        rows = {}
        with self.model.engine() as engine, engine.score(case["ids"], logits=True, positions=case["positions"]) as scores:
            for block in scores:
                kept = block.logits
                for index, position in enumerate(block.positions):
                    rows[position] = [float(kept[index, column]) for column in range(block.vocabulary)]
        same("positions", case["positions"], list(rows))
        same("vocabulary", case["vocabulary"], len(rows[case["positions"][0]]))
        same("best ids", case["best_ids"], [row.index(max(row)) for row in rows.values()])
        near("logits", case["logits"], [max(row) for row in rows.values()], case["tolerance"])

    def many(self, case):
        with self.model.engine() as engine:
            prompts = [unescape(prompt) for prompt in case["prompt"]] * case["copies"]
            requests = [engine.submit(prompt, tag=tag) for tag, prompt in enumerate(prompts)]
            texts, ended = [""] * len(requests), 0
            while ended < len(requests):
                event = engine.next()
                texts[event.tag] += event.text
                ended += event.last
            same("texts", [unescape(text).decode() for text in case["text"]] * case["copies"], texts)
            for request in requests:
                request.close()

    def two_models(self, case):
        pairs = [(unescape(p), unescape(t).decode()) for p, t in zip(case["prompt"], case["text"])]
        first, second = scout.load("scout-tiny"), scout.load("scout-tiny")
        for prompt, text in pairs:
            same("first model", text, first.generate(prompt).text())
            same("second model", text, second.generate(prompt).text())
        first.close()
        same("second model, alone", pairs[0][1], second.generate(pairs[0][0]).text())
        second.close()

    def threads(self, case):
        found = {}

        def ask(index):
            which = index % len(case["prompt"])
            try:
                found[index] = self.model.generate(unescape(case["prompt"][which])).text() == unescape(case["text"][which]).decode()
            except Exception as error:
                found[index] = error

        threads = [threading.Thread(target=ask, args=(index,)) for index in range(case["threads"])]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        same("answers", {index: True for index in range(case["threads"])}, found)

    def close_twice(self, case):
        model = scout.load("scout-tiny")
        chat, request = model.chat(), model.generate(unescape(case["prompt"]))
        for thing in (model, request, chat, model, request, chat):
            thing.close()

    def close_parent_first(self, case):
        model = scout.load("scout-tiny")
        request = model.generate(unescape(case["prompt"]))
        model.close()
        same("text", unescape(case["text"]).decode(), request.text())
        request.close()

    def loop(self, case):
        def once():
            if case["what"] == "chat":
                with self.model.chat() as chat:
                    chat.user("Hello!")
            elif case["what"] == "request":
                self.model.generate("Hello!").close()
            else:
                scout.load("scout-tiny").close()

        for index in range(case["count"]):
            if index == case["count"] // 10:
                gc.collect()
                before = resident_bytes()
            once()
        gc.collect()
        grown = resident_bytes() - before
        if grown > case["growth_bytes"]:
            raise Mismatch("grew by %d bytes, at most %d" % (grown, case["growth_bytes"]))

    def error_load(self, case):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "model.gguf"
            if "file" in case:
                path.write_bytes(unescape(case["file"]))
            elif "folder" in case:
                path = pathlib.Path(folder)
                for name, contents in case["folder"].items():
                    (path / name).write_bytes(unescape(contents))
            elif "model_head" in case:
                path.write_bytes(MODEL_FILE.read_bytes()[: case["model_head"]])
            elif "model_fill" in case:
                offset, count, byte = case["model_fill"]
                data = bytearray(MODEL_FILE.read_bytes())
                data[offset : offset + count] = bytes([byte]) * count
                path.write_bytes(data)
            else:
                path = case["path"]
            raises(case["status"], unescape(case["names"]).decode(), lambda: scout.load(path, **case.get("load_option", {})))

    def error_generate(self, case):
        raises(case["status"], case["names"], lambda: self.model.generate(unescape(case["prompt"]), **options(case["option"])))

    def error_engine(self, case):
        with self.model.engine(**case["engine_option"]) as engine:
            raises(case["status"], case["names"], lambda: engine.submit(unescape(case["prompt"])))

    def error_full(self, case):
        requests = []
        with self.model.engine(stepped=True, **case["engine_option"]) as engine:
            def fill():
                for _ in range(case["most"]):
                    requests.append(engine.submit(unescape(case["prompt"])))
            raises(case["status"], "", fill)

    def error_call(self, case):
        raises(case["status"], case["names"], getattr(self, "call_" + case["call"], lambda _: None)(case))

    def call_decode_past_vocabulary(self, case):
        return lambda: self.model.decode(case["ids"])

    def call_submit_past_vocabulary(self, case):
        return lambda: self.model.engine().submit(case["ids"])

    call_submit_nothing = call_submit_past_vocabulary

    def call_token_find_unknown(self, case):
        return lambda: self.model.find_token(case["text"])

    def call_second_system_message(self, case):
        return lambda: self.model.chat().user("Hi").system("Late.")

    def call_chat_text_without_begin(self, case):
        return lambda: self.model.chat().add_text("Hi")

    def call_answer_of_unfinished_request(self, case):
        return lambda: self.model.chat().user("Hi").add_answer(self.model.generate("Hello!", ignore_end=True))

    def call_step_of_threaded_engine(self, case):
        return lambda: self.model.engine().step()

    def call_layer_past_the_last(self, case):
        return lambda: self.model.layer(case["index"])

    def call_device_past_the_last(self, case):
        def ask():
            made = scout._native.new_scout_device_info()
            try:
                scout._native.scout_device_get(case["index"], made)
            finally:
                scout._native.delete_scout_device_info(made)
        return ask

    def call_closed_model(self, case):
        model = scout.load("scout-tiny")
        model.close()
        return lambda: model.generate("Hi")

    def call_closed_request(self, case):
        request = self.model.generate("Hi")
        request.close()
        return lambda: next(request)


def main(wanted):
    gc.set_threshold(1)  # a collection at nearly every allocation: objects go where it hurts most
    document = json.loads((BINDINGS / "conformance.json").read_text(encoding="ascii"))
    runner = Runner()
    counts = {"ok": 0, "n/a": 0, "failed": 0}
    for case in document["cases"]:
        if wanted and case["name"] not in wanted:
            continue
        try:
            getattr(runner, case["kind"])(case)
            outcome, line = "ok", "ok " + case["name"]
        except NotApplicable as why:
            outcome, line = "n/a", "n/a %s: %s" % (case["name"], why)
        except Exception as error:
            outcome, line = "failed", "FAILED %s: %s" % (case["name"], error if isinstance(error, Mismatch) else repr(error))
        counts[outcome] += 1
        print(line, flush=True)
    print("python: %d ok, %d n/a, %d failed" % tuple(counts.values()))
    return 1 if counts["failed"] or not counts["ok"] else 0


if __name__ == "__main__":
    sys.exit(main(set(sys.argv[1:])))
