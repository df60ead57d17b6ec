#!/usr/bin/env python3
"""Describes the ABI to programs: reads the public headers, their comments included, and writes scout-abi.json.

  describe.py --include DIR --out FILE            write the description
  describe.py --include DIR --check FILE          fail unless FILE is what the headers say now
  describe.py --include DIR --exports LIBSCOUT    fail unless the library exports the described functions and nothing else
  describe.py --include DIR --golden ABI_GOLDEN   fail unless a compiler found the same names, values, sizes and offsets

Only the Python standard library is used. What the headers' conventions (include/scout/types.h) leave open is refused, with the file and
the name, so that a new function cannot be declared without saying who owns what and which pointer may be NULL.
"""
import argparse
import json
import pathlib
import re
import subprocess
import sys
import textwrap

# Only these: integers have a fixed width, so that every language and every data model reads the header the same way.
SCALARS = {"char": 1, "float": 4, "double": 8, "int32_t": 4, "uint32_t": 4, "int64_t": 8, "uint64_t": 8}
POINTER = 8  # sizes and offsets are those of 64-bit targets


class Refused(Exception):
    pass


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


def comment_text(comment):
    """The words of a /** */ comment, line by line."""
    body = re.sub(r"^/\*\*<?|\*/$", "", comment.strip())
    return [re.sub(r"^\s*\* ?", "", line).rstrip() if i else line.strip() for i, line in enumerate(body.split("\n"))]


def split_doc(comment):
    """A comment as (text, {tag: text}, {parameter: (is_out, text)})."""
    tags, params, current, text = {}, {}, None, []
    for line in comment_text(comment):
        match = re.match(r"@(param(?:\[out\])?|return|threads|since|file)\s+(.*)", line)
        if match and match[1].startswith("param"):
            name, _, rest = match[2].partition(" ")
            current = ("param", name)
            params[name] = [match[1] == "param[out]", rest.strip()]
        elif match:
            current = ("tag", match[1])
            tags[match[1]] = match[2]
        elif "@" in line:
            raise Refused(f"a comment line with a mark in its midst: {line!r}")
        elif current is None:
            text.append(line)
        elif current[0] == "param":
            params[current[1]][1] += " " + line
        else:
            tags[current[1]] += " " + line
    return squeeze(" ".join(text)), {k: squeeze(v) for k, v in tags.items()}, {k: (o, squeeze(t)) for k, (o, t) in params.items()}


COMMENT = r"(?P<doc>/\*\*(?:(?!\*/).)*\*/\s*)?"
ITEM = re.compile(
    COMMENT + r"(?:enum\s+(?P<tag>\w+)\s*\{(?P<enum>.*?)\}\s*;"
    r"|typedef\s+struct\s+(?P<struct>\w+)\s*\{(?P<body>.*?)\}\s*(?P=struct)\s*;"
    r"|typedef\s+struct\s+(?P<handle>\w+)\s+(?P=handle)\s*;"
    r"|typedef\s+(?P<alias_of>\w+)\s+(?P<alias>\w+)\s*;"
    r"|typedef\s+(?P<callback_type>void)\s+\(\*(?P<callback>\w+)\)\((?P<callback_params>[^)]*)\)\s*;"
    r"|SCOUT_API\s+(?P<result>[\w\s*]+?)(?P<function>scout_\w+)\((?P<params>[^)]*)\)\s*;"
    r"|\#define\s+(?P<macro>SCOUT_\w+)[ \t]+(?P<value>[^\n]+?)[ \t]*\n)", re.S)


def read_header(path):
    """The items of a header in order; everything else in it must be known scaffolding."""
    text = path.read_text(encoding="utf-8")
    about = re.match(r"/\*\* @file (\S+)\s+(.*?)\*/", text, re.S)
    if not about or about[1] != path.name:
        raise Refused(f"does not begin with '/** @file {path.name}  what it is'")
    # Conditional blocks of types.h define SCOUT_API and the like: no part of the ABI.
    text = re.sub(r"^#if defined\(_WIN32\).*?^#ifdef __cplusplus.*?^#endif\n", "", text[about.end():], flags=re.S | re.M)
    items, position = [], 0

    def scaffolding(part):
        part = re.sub(r"^#(ifndef|define|endif|include)\b[^\n]*$|\bSCOUT_(BEGIN|END)_DECLS\b", "", part, flags=re.M)
        if part.strip():
            raise Refused(f"not understood: {squeeze(part)[:120]!r}")

    for match in ITEM.finditer(text):
        scaffolding(text[position:match.start()])
        position = match.end()
        items.append(match)
    scaffolding(text[position:])
    return {"name": path.name, "doc": comment_text("/** " + about[2] + "*/")}, items


def type_size(ctype):
    array = re.search(r"\[(\d+)\]$", ctype)
    if array:
        size, align = type_size(ctype[:array.start()])
        return size * int(array[1]), align
    if "*" in ctype:
        return POINTER, POINTER
    if ctype not in SCALARS:
        raise Refused(f"type {ctype!r} is not one of {', '.join(SCALARS)}")
    return SCALARS[ctype], SCALARS[ctype]


def normal_type(text):
    """'const char*const *' as 'const char *const *'."""
    return re.sub(r"\*\s+\*", "**", re.sub(r"\s*\*\s*", " *", squeeze(text))).replace("* *", "**").replace("*const", "*const ").strip() \
        .replace("const  *", "const *")


def declarator(text):
    match = re.match(r"(.*?)(\w+)\s*((?:\[\d+\])?)$", squeeze(text), re.S)
    if not match or not match[1].strip():
        raise Refused(f"cannot read the declaration {text!r}")
    return match[2], normal_type(match[1]) + match[3]


def lifetime(text):
    match = re.search(r"\bborrowed ((?:until|while)\b[^;.]*)", text, re.I)
    if match:
        return squeeze(match[1])
    return "static" if re.search(r"\bstatic\b", text, re.I) else None


def may_be_null(text):
    return bool(re.search(r"\bmay be NULL\b|\bNULL = |\bNULL unless\b|\bNULL when\b", text))


class Abi:
    def __init__(self, include):
        self.headers, self.constants, self.enums, self.types, self.callbacks = [], [], [], [], []
        self.handles, self.structs, self.functions = [], [], []
        for path in sorted(pathlib.Path(include, "scout").glob("*.h")):
            try:
                about, items = read_header(path)
                self.headers.append(about)
                for item in items:
                    self.take(path.name, item)
            except Refused as problem:
                raise Refused(f"{path.name}: {problem}") from None
        self.finish()

    def take(self, header, item):
        doc = item["doc"] or ""
        if item["function"]:
            self.functions.append({"name": item["function"], "header": header, "result": normal_type(item["result"]),
                                   "list": item["params"], "comment": doc})
            return
        text = squeeze(" ".join(comment_text(doc))) if doc else ""
        name = item["enum"] and "enum" or item["struct"] or item["handle"] or item["alias"] or item["callback"] or item["macro"]
        if not text and not name.startswith("SCOUT_VERSION_"):
            raise Refused(f"{name}: no comment")
        if item["enum"]:
            self.take_enum(header, text, item["tag"], item["enum"])
        elif item["struct"]:
            self.take_struct(header, item["struct"], text, item["body"])
        elif item["handle"]:
            self.handles.append({"name": item["handle"], "doc": text})
        elif item["alias"]:
            self.types.append({"name": item["alias"], "type": item["alias_of"], "doc": text})
        elif item["callback"]:
            params = [dict(zip(("name", "type"), declarator(p))) for p in item["callback_params"].split(",")]
            self.callbacks.append({"name": item["callback"], "result": item["callback_type"], "params": params, "header": header,
                                   "doc": text})
        else:
            widest = re.fullmatch(r"UINT64_MAX", item["value"])
            value = re.fullmatch(r"(?:\(\((\w+)\)(-?\d+)\)|(-?\d+))", "((uint64_t)18446744073709551615)" if widest else item["value"])
            if not value:
                raise Refused(f"{item['macro']}: value {item['value']!r} is not understood")
            self.constants.append({"name": item["macro"], "type": value[1] or "int32_t", "value": int(value[2] or value[3]),
                                   "header": header, "doc": text})

    def take_enum(self, header, text, tag, body):
        values = []
        for match in re.finditer(r"(SCOUT_\w+)\s*=\s*(-?\d+)\s*,?\s*(/\*\*<.*?\*/)?", body, re.S):
            values.append({"name": match[1], "value": int(match[2]), "doc": squeeze(" ".join(comment_text(match[3] or "/** */")))})
        rest = re.sub(r"SCOUT_\w+\s*=\s*-?\d+|/\*\*<.*?\*/|,", "", body, flags=re.S)
        if rest.strip() or not values:
            raise Refused(f"enum of {values[:1]}: every value must be a number: {squeeze(rest)!r}")
        first, last = min(v["name"] for v in values), max(v["name"] for v in values)
        common = next((first[:i] for i in range(len(first)) if not last.startswith(first[:i + 1])), first)
        prefix = common[:common.rfind("_")]
        self.enums.append({"name": "SCOUT_STATUS" if prefix == "SCOUT" else prefix, "tag": tag, "header": header, "doc": text, "values": values})

    def take_struct(self, header, name, text, body):
        fields, offset, align = [], 0, 1
        body = re.sub(r"/\*(?!\*<).*?\*/", "", body, flags=re.S)
        for match in re.finditer(r"([^;/]+);\s*(/\*\*<.*?\*/)?", body, re.S):
            doc = squeeze(" ".join(comment_text(match[2] or "/** */")))
            parts = match[1].split(",")
            base = re.match(r"\s*((?:const\s+)?\w+)", parts[0])[1]
            for i, part in enumerate(parts):
                field, ctype = declarator(part if i == 0 else f"{base} {part}")
                size, own = type_size(ctype)
                offset = (offset + own - 1) // own * own
                fields.append({"name": field, "type": ctype, "offset": offset, "size": size, "doc": doc})
                offset, align = offset + size, max(align, own)
        if re.sub(r"[^;/]+;\s*(/\*\*<.*?\*/)?", "", body, flags=re.S).strip():
            raise Refused(f"{name}: members that are not understood")
        if fields[0]["name"] != "struct_size" or fields[0]["type"] != "uint32_t":
            raise Refused(f"{name}: does not begin with uint32_t struct_size")
        self.structs.append({"name": name, "header": header, "size": (offset + align - 1) // align * align, "doc": text, "fields": fields})

    def finish(self):
        names = [h["name"] for h in self.handles]
        functions = {f["name"]: f for f in self.functions}
        for handle in self.handles:
            free = f"{handle['name']}_free"
            handle["free"] = "scout_free" if free not in functions and handle["name"] == "scout_model" else free
            if handle["free"] not in functions:
                raise Refused(f"{handle['name']}: nothing frees it")
        self.codes = {v["name"] for e in self.enums if e["name"] == "SCOUT_STATUS" for v in e["values"]}
        for function in self.functions:
            try:
                self.describe_function(function, names)
            except Refused as problem:
                raise Refused(f"{function['header']}: {function['name']}: {problem}") from None
        for function in self.functions:
            for other in function.pop("as"):
                if other not in functions:
                    raise Refused(f"{function['name']}: as {other}, which is not declared")
                function["statuses"] = sorted(set(function["statuses"]) | set(functions[other]["statuses"]))
        for struct in self.structs:
            self.describe_struct(struct)
        for enum in self.enums:
            self.describe_enum(enum)
        for handle in self.handles:
            handle["made_by"] = [f["name"] for f in self.functions for p in f["params"] if p["kind"] == "new_handle" and
                                 p["type"].startswith(handle["name"] + " ")]

    def describe_function(self, function, handles):
        text, tags, docs = split_doc(function.pop("comment"))
        for tag in ("threads", "since"):
            if tag not in tags:
                raise Refused(f"no @{tag}")
        if not text:
            raise Refused("no sentence says what it does")
        function["doc"] = text
        function["since"] = tags["since"]
        function["threads"] = self.describe_threads(tags["threads"])
        arguments = function.pop("list").strip()
        declared = [] if arguments == "void" else [declarator(p) for p in arguments.split(",")]
        unknown = set(docs) - {name for name, _ in declared}
        if unknown:
            raise Refused(f"@param of {', '.join(sorted(unknown))}, which it does not have")
        function["params"] = [self.describe_param(function, declared, i, handles, docs) for i in range(len(declared))]
        self.known(function["result"])
        if function["result"] == "scout_status":
            if "return" not in tags:
                raise Refused("no @return")
            found = re.findall(r"\bSCOUT_[A-Z_]+\b|(?<!\w)_[A-Z_]+\b", tags["return"])
            found = [c if c.startswith("SCOUT") else "SCOUT_ERR" + c for c in found]
            if set(found) - self.codes:
                raise Refused(f"@return names {', '.join(sorted(set(found) - self.codes))}, which are no codes")
            if any(p["kind"] == "handle" for p in function["params"]):
                found += ["SCOUT_ERR_ARGUMENT", "SCOUT_ERR_STATE"]
            function["returns"] = tags["return"]
            function["statuses"] = sorted(set(found))
            function["as"] = re.findall(r"\bas (scout_\w+)|\bfailure of (scout_\w+)", tags["return"])
            function["as"] = [a or b for a, b in function["as"]]
        else:
            function["as"] = []
            if "*" in function["result"]:
                function["lifetime"] = lifetime(text)
                function["nullable"] = not re.search(r"\bnever NULL\b|\bstatic\b", text, re.I)
                if function["lifetime"] is None:
                    raise Refused("does not say how long what it returns lives")

    @staticmethod
    def describe_threads(text):
        handles = re.findall(r"\bfor (?:a|an|the|these) (\w+)|\band for the (\w+)", text)
        if text.startswith("one, after"):
            rule = "last"
        elif text.startswith("one at a time"):
            rule = "one_at_a_time"
        elif text.startswith("any"):
            rule = "any"
        else:
            raise Refused(f"@threads {text!r} is no rule")
        result = {"rule": rule, "text": text}
        if handles:
            result["one_at_a_time_for"] = [a or b for a, b in handles]
        elif rule == "one_at_a_time":
            raise Refused(f"@threads {text!r} does not say for what")
        return result

    def known(self, ctype):
        """Refuses a type whose width depends on the platform, or that nothing here declares."""
        base = re.sub(r"^const ", "", ctype).split(" ")[0]
        declared = [d["name"] for group in (self.types, self.handles, self.structs, self.callbacks) for d in group]
        if base not in SCALARS and base not in declared and base != "void":
            raise Refused(f"type {base!r} is not one of {', '.join(SCALARS)} and is declared nowhere")

    def describe_param(self, function, declared, index, handles, docs):
        name, ctype = declared[index]
        following = declared[index + 1][0] if index + 1 < len(declared) else ""
        is_out, doc = docs.get(name, (False, ""))
        base, stars = re.sub(r"^const ", "", ctype).split(" ")[0], ctype.count("*")
        structs = [s["name"] for s in self.structs]
        self.known(ctype)
        param = {"name": name, "type": ctype, "direction": "in", "nullable": may_be_null(doc)}
        if base in handles and stars == 1:
            param["kind"] = "handle"
            param["nullable"] = function["name"] in [h["free"] for h in self.handles]
        elif base in handles:
            param.update(kind="new_handle", direction="out", free=next(h["free"] for h in self.handles if h["name"] == base))
            if f"to be freed with {param['free']}" not in doc:
                raise Refused(f"{name}: does not say 'to be freed with {param['free']}'")
        elif base in structs and stars == 2:
            param.update(kind="lent_struct", direction="out", lifetime=lifetime(doc))
        elif base in structs and ctype.startswith("const "):
            param.update(kind="options")
            if not param["nullable"]:
                raise Refused(f"{name}: options must be NULL = the defaults")
        elif base in structs:
            param.update(kind="struct_init" if function["name"] == f"{base}_init" else "struct_out", direction="out")
        elif ctype == "const char **":
            param.update(kind="lent_bytes", direction="out", length=following, lifetime=lifetime(doc))
        elif ctype == "const char *" and following == name + "_size":
            param.update(kind="text", length=following)
        elif ctype == "const char *":
            param.update(kind="string")
        elif stars == 1 and following == "capacity":
            param.update(kind="buffer", direction="out", length="capacity", needed="needed", nullable=True)
        elif stars == 1 and ctype.startswith("const ") and following == "count":
            param.update(kind="array", length=following)
        elif ctype == "void *":
            param.update(kind="user_data")
        elif stars == 1:
            param.update(kind="value_out", direction="out")
        elif stars == 0:
            param.update(kind="callback" if base in [c["name"] for c in self.callbacks] else "value")
        else:
            raise Refused(f"{name}: {ctype} fits no convention")
        if param["direction"] == "out" and param["kind"] != "struct_init" and not is_out:
            raise Refused(f"{name}: is written and has no @param[out]")
        if is_out and param["direction"] != "out":
            raise Refused(f"{name}: @param[out], but {ctype} is read only")
        if "lifetime" in param and param["lifetime"] is None:
            raise Refused(f"{name}: does not say how long it lives: 'borrowed until ...', 'borrowed while ...' or 'static'")
        if param["kind"] == "text":
            param["accepts_nul_size"] = True
        self.mark_values(param, doc)
        param["doc"] = doc
        return param

    def mark_values(self, entry, doc):
        """Which enum, or whether a truth value."""
        named = re.search(r"\b(SCOUT_[A-Z]+)_(?:\*|OK|ERR_\*)|\bSCOUT_OK\b", doc)
        if entry["type"] == "scout_status":
            entry["enum"] = "SCOUT_STATUS"
        elif named and entry["type"].rstrip(" *") in ("int32_t", "uint32_t"):
            entry["enum"] = "SCOUT_STATUS" if named[0] in ("SCOUT_OK", "SCOUT_ERR_*") else named[1]
            if entry["enum"] not in [e["name"] for e in self.enums]:
                raise Refused(f"{entry['name']}: {named[0]} is no enum")
        elif re.match(r"1: .*; 0: ", doc):
            entry["boolean"] = True

    def describe_struct(self, struct):
        users = [(f["name"], p["kind"]) for f in self.functions for p in f["params"] if re.search(rf"\b{struct['name']}\b", p["type"])]
        kinds = {kind for _, kind in users}
        if "struct_init" in kinds:
            struct["role"] = "options"
            struct["init"] = f"{struct['name']}_init"
            struct["struct_size"] = "set by its init function; smaller: an older program's; larger: must be zero past the end"
        elif "struct_out" in kinds:
            struct["role"] = "filled"
            struct["struct_size"] = "set by the caller, at least 8; members past it are not written"
        elif "lent_struct" in kinds:
            struct["role"] = "lent"
            struct["struct_size"] = "set by the library: how much of the struct it fills"
            if lifetime(struct["doc"]) is None:
                raise Refused(f"{struct['name']}: does not say how long it lives")
        else:
            raise Refused(f"{struct['name']}: no function uses it")
        fields = {f["name"] for f in struct["fields"]}
        for field in struct["fields"]:
            where = f"{struct['name']}.{field['name']}"
            self.mark_values(field, field["doc"])
            if "*" not in field["type"]:
                continue
            count = re.match(r"((?:\[\w+\])+)", field["doc"])
            if count:
                field["length"] = re.findall(r"\[(\w+)\]", count[1])
                if set(field["length"]) - fields:
                    raise Refused(f"{where}: {count[1]} is no member")
            elif field["type"] == "const char *":
                field["length"] = "nul"
            else:
                raise Refused(f"{where}: no [count] says how many")
            if struct["role"] == "options":
                field["nullable"] = True  # NULL with count 0, or the default
                field["lifetime"] = "until the call returns"
            else:
                field["nullable"] = may_be_null(field["doc"])
                field["lifetime"] = lifetime(field["doc"]) or lifetime(struct["doc"])
                if field["lifetime"] is None:
                    raise Refused(f"{where}: does not say how long it lives")

    def describe_enum(self, enum):
        uses = [p for f in self.functions for p in f["params"] if p.get("enum") == enum["name"]]
        uses += [f for s in self.structs for f in s["fields"] if f.get("enum") == enum["name"]]
        types = {u["type"].rstrip(" *").replace("scout_status", "int32_t") for u in uses}
        if len(types) != 1:
            raise Refused(f"enum {enum['name']}: nothing, or more than one type, names it: {sorted(types)}")
        enum["type"] = types.pop()
        enum["flags"] = any(u["name"] == "flags" for u in uses)

    def document(self):
        version = {c["name"][14:].lower(): c["value"] for c in self.constants if c["name"].startswith("SCOUT_VERSION_")}
        return {"description": "The C ABI of libscout. Generated from the headers by bindings/abi/describe.py: do not edit.",
                "schema": 1, "version": "{major}.{minor}.{patch}".format(**version), "layout": "64-bit pointers, natural alignment",
                "headers": self.headers, "types": self.types, "constants": self.constants, "enums": self.enums, "handles": self.handles,
                "callbacks": self.callbacks, "structs": self.structs, "functions": self.functions}


def dump(value, indent=0, width=140):
    """JSON that a person can read and a diff can show: what fits on a line is on one."""
    flat = json.dumps(value, ensure_ascii=False)
    if len(flat) + indent <= width or not isinstance(value, (dict, list)):
        return flat
    pad = " " * (indent + 1)
    if isinstance(value, list) and all(isinstance(v, (int, float)) for v in value):  # many numbers: as many on a line as fit
        return "[\n" + textwrap.fill(flat[1:-1], width, initial_indent=pad, subsequent_indent=pad) + "\n" + " " * indent + "]"
    if isinstance(value, list):
        inner = [pad + dump(v, indent + 1, width) for v in value]
        return "[\n" + ",\n".join(inner) + "\n" + " " * indent + "]"
    inner = [pad + json.dumps(k) + ": " + dump(v, indent + 1, width) for k, v in value.items()]
    return "{\n" + ",\n".join(inner) + "\n" + " " * indent + "}"


def check(abi, path):
    now, committed = dump(abi.document()) + "\n", pathlib.Path(path).read_text(encoding="utf-8")
    if now == committed:
        print(f"{path} is what the headers say: {len(abi.functions)} functions, {len(abi.structs)} structs, {len(abi.enums)} enums")
        return 0
    for a, b in zip(committed.splitlines(), now.splitlines()):
        if a != b:
            print(f"committed: {a}\nheaders:   {b}")
            break
    print(f"{path} is not what the headers say: run bindings/abi/describe.py --include include --out {path}")
    return 1


def exports(abi, library):
    output = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    given = {line.split()[-1].partition("@")[0] for line in output.splitlines()}
    given = {name for name in given if name.startswith("scout_")}
    described = {f["name"] for f in abi.functions}
    for name in sorted(given - described):
        print(f"{name} is exported and not described")
    for name in sorted(described - given):
        print(f"{name} is described and not exported")
    if given != described or not given:
        return 1
    print(f"{len(given)} functions exported, each described")
    return 0


def golden(abi, path):
    """Against what a C compiler made of the headers (tests/abi/abi.golden)."""
    lines = [f"enum {v['name']} = {v['value']}" for e in abi.enums for v in e["values"]]
    for struct in abi.structs:
        lines.append(f"struct {struct['name']} size {struct['size']}")
        lines += [f"struct {struct['name']} {f['offset']:3} +{f['size']} {f['name']}" for f in struct["fields"]]
    compiled = [line for line in pathlib.Path(path).read_text().splitlines() if not line.startswith("function ")]
    for line in sorted(set(lines) ^ set(compiled)):
        print(f"{'described' if line in lines else 'compiled'} only: {line}")
    if sorted(lines) != sorted(compiled):
        return 1
    print(f"{len(lines)} names, values, sizes and offsets as compiled")
    return 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--include", required=True)
    for what in ("out", "check", "exports", "golden"):
        parser.add_argument(f"--{what}")
    args = parser.parse_args()
    try:
        abi = Abi(args.include)
    except Refused as problem:
        print(problem)
        return 1
    if args.out:
        pathlib.Path(args.out).write_text(dump(abi.document()) + "\n", encoding="utf-8")
    failed = [args.check and check(abi, args.check), args.exports and exports(abi, args.exports), args.golden and golden(abi, args.golden)]
    return 1 if any(failed) else 0


if __name__ == "__main__":
    sys.exit(main())
