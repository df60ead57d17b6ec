"""libscout through ctypes, with declarations made from scout-abi.json: enough to write the list of behaviours."""
import ctypes
import json
import pathlib

DESCRIPTION = pathlib.Path(__file__).resolve().parents[1] / "abi" / "scout-abi.json"
SCALARS = {"char": ctypes.c_char, "float": ctypes.c_float, "double": ctypes.c_double, "int": ctypes.c_int, "int32_t": ctypes.c_int32,
           "uint32_t": ctypes.c_uint32, "int64_t": ctypes.c_int64, "uint64_t": ctypes.c_uint64,
           "scout_status": ctypes.c_int32}


class Failure(Exception):
    def __init__(self, status, message):
        super().__init__(f"{status}: {message}")
        self.status, self.message = status, message


class Library:
    """lib.scout_load(...) and the others; a negative status becomes a Failure. lib.structs and lib.values hold the rest."""

    def __init__(self, path):
        abi = json.loads(DESCRIPTION.read_text(encoding="utf-8"))
        self.abi, self.c, self.structs, self.values = abi, ctypes.CDLL(str(path)), {}, {}
        for enum in abi["enums"]:
            self.values.update({v["name"]: v["value"] for v in enum["values"]})
        for struct in abi["structs"]:
            fields = [(f["name"], self.ctype(f["type"])) for f in struct["fields"]]
            made = type(struct["name"], (ctypes.Structure,), {"_fields_": fields})
            assert ctypes.sizeof(made) == struct["size"], struct["name"]
            self.structs[struct["name"]] = made
        for function in abi["functions"]:
            found = getattr(self.c, function["name"])
            found.restype = None if function["result"] == "void" else self.ctype(function["result"])
            found.argtypes = [self.ctype(p["type"]) for p in function["params"]]
            setattr(self, function["name"], self.checked(found) if function["result"] == "scout_status" else found)

    def ctype(self, text):
        if "[" in text:
            return self.ctype(text[:text.index("[")]) * int(text[text.index("[") + 1:-1])
        base, stars = text.replace("const ", "").split(" ")[0], text.count("*")
        if stars == 0:
            return SCALARS.get(base, ctypes.c_void_p)
        if base == "char":
            made = ctypes.c_char_p
        elif base in self.structs:
            made = ctypes.POINTER(self.structs[base])
        elif base in SCALARS:
            made = ctypes.POINTER(SCALARS[base])
        else:
            made = ctypes.c_void_p  # a handle
        for _ in range(stars - 1):
            made = ctypes.POINTER(made)
        return made

    def checked(self, function):
        def call(*args):
            status = function(*args)
            if status < 0:
                raise Failure(status, self.c.scout_last_error().decode())
            return status
        return call

    def options(self, name, given):
        """An options struct with its defaults, then `given`; lists become arrays and their counts."""
        made = self.structs[name]()
        getattr(self, f"{name}_init")(ctypes.byref(made), ctypes.sizeof(made))
        for key, value in given.items():
            if key == "stop":
                made.stop = (ctypes.c_char_p * len(value))(*value)
                made.stop_sizes = (ctypes.c_uint64 * len(value))(*map(len, value))
                made.stop_count = len(value)
            elif key == "bias":
                made.bias_ids = (ctypes.c_int32 * len(value))(*[i for i, _ in value])
                made.bias_values = (ctypes.c_float * len(value))(*[v for _, v in value])
                made.bias_count = len(value)
            elif key == "stop_tokens":
                made.stop_tokens = (ctypes.c_int32 * len(value))(*value)
                made.stop_token_count = len(value)
            else:
                assert hasattr(made, key), key
                setattr(made, key, value)
        return made

    def new(self, function, *args):
        handle = ctypes.c_void_p()
        status = getattr(self, function)(*args, ctypes.byref(handle))
        if status != 0:
            raise Failure(status, self.c.scout_status_text(status).decode())
        return handle

    def load(self, path, **options):
        return self.new("scout_load", path, self.options("scout_load_options", options))

    def fill(self, function, *args):
        """A call that fills a buffer of ids."""
        needed = ctypes.c_uint64()
        getattr(self, function)(*args, None, 0, ctypes.byref(needed))
        ids = (ctypes.c_int32 * needed.value)()
        getattr(self, function)(*args, ids, needed.value, ctypes.byref(needed))
        return list(ids)

    def encode(self, model, text, special=0, bos=0):
        flags = special * self.values["SCOUT_ENCODE_SPECIAL"] + bos * self.values["SCOUT_ENCODE_BOS"]
        return self.fill("scout_encode", model, text, len(text), flags)

    def decode(self, model, ids, special=0):
        needed = ctypes.c_uint64()
        array = (ctypes.c_int32 * len(ids))(*ids)
        self.scout_decode(model, array, len(ids), special, None, 0, ctypes.byref(needed))
        text = ctypes.create_string_buffer(max(1, needed.value))
        self.scout_decode(model, array, len(ids), special, text, needed.value, ctypes.byref(needed))
        return text.raw[:needed.value]

    def token(self, model, id):
        data, size, special = ctypes.POINTER(ctypes.c_char)(), ctypes.c_uint64(), ctypes.c_int32()
        self.scout_token_bytes(model, id, ctypes.cast(ctypes.byref(data), ctypes.POINTER(ctypes.c_char_p)), ctypes.byref(size),
                               ctypes.byref(special))
        return ctypes.string_at(data, size.value), special.value

    def read(self, request, wait=-1):
        """The whole answer: what an event holds, joined."""
        answer = {"text": b"", "ids": [], "logprobs": [], "top_ids": [], "top_logprobs": [], "events": 0}
        event = ctypes.POINTER(self.structs["scout_event"])()
        while self.scout_request_next(request, wait, ctypes.byref(event)) == 0:
            e = event.contents
            count = e.id_count
            address = ctypes.cast(ctypes.addressof(e) + self.structs["scout_event"].text.offset, ctypes.POINTER(ctypes.c_void_p))[0]
            piece = ctypes.string_at(address, e.text_size)
            piece.decode("utf-8")  # whole characters
            answer["text"] += piece
            answer["ids"] += list(e.ids[:count]) if count else []
            if e.logprobs:
                answer["logprobs"] += list(e.logprobs[:count])
            if e.top_ids:
                answer["top_ids"] += list(e.top_ids[:count * e.top_count])
                answer["top_logprobs"] += list(e.top_logprobs[:count * e.top_count])
            answer["events"] += 1
            if e.stop != 0:
                answer.update(stop=e.stop, status=e.status, message=e.message.decode(), prompt_tokens=e.prompt_tokens,
                              cached_tokens=e.cached_tokens, generated_tokens=e.generated_tokens)
        return answer

    def generate(self, model, prompt, given):
        engine = self.new("scout_model_engine", model)
        request = None
        try:
            request = self.new("scout_submit_text", engine, prompt, len(prompt), self.options("scout_request_options", given))
            return self.read(request)
        finally:
            self.scout_request_free(request)
            self.scout_engine_free(engine)
