#!/usr/bin/env python3
"""Compares `scout bench` with other engines' bench programs on the same file: A/B/A/B, the machine's limits taken in every round.

    tests/bench/compare.py --scout build/bin/scout --model M.gguf --threads 2 \\
        --peer llama.cpp=PATH/llama-bench --peer ik=PATH/llama-bench --output table.md --plot plot.svg

A peer is a program with the options and the JSON of llama.cpp's llama-bench; tests/bench/README.md tells where to get some. A round
runs every engine once on every piece of work, in an order that turns with the round. What is compared is the ratio within a round:
the table has its median and a 95 % interval (Student's t over the logarithms). A piece of work is ppN (a prompt of N tokens), tgN
(N tokens one by one), either with @D (at depth D), or stN (N streams with a prompt of 128 tokens each that then decode 32 together;
a peer's llama-batched-bench is taken from the folder of its llama-bench).
"""
import argparse
import json
import math
import os
import re
import statistics
import subprocess
import sys

# Student's t, 97.5 %, by degrees of freedom; beyond the table the normal distribution's.
T = [0, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09]
OURS = "libscout"
STREAM_PROMPT, STREAM_TOKENS = 128, 32


def die(text):
    sys.exit(f"compare.py: {text}")


class Work:
    def __init__(self, text):
        match = re.fullmatch(r"(pp|tg|st)([1-9][0-9]*)(?:@([0-9]+))?", text)
        if not match or (match[1] == "st" and match[3]):
            die(f"work \"{text}\": expected ppN, tgN, ppN@D, tgN@D or stN")
        self.name, self.kind, self.count, self.depth = text, match[1], int(match[2]), int(match[3] or 0)


def run(command):
    """What the program says on its standard output, and on its standard error."""
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    except OSError as error:
        die(f"{command[0]}: {error.strerror}")
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["nothing was said"])[-1]
        die(f"{' '.join(command)}: exit code {done.returncode}: {last}")
    return done.stdout, done.stderr


def run_json(command):
    text = run(command)[0]
    try:
        return json.loads(text)
    except ValueError as error:
        die(f"{' '.join(command)}: not JSON: {error}")


def ours(args, work):
    """tokens/s, and the round's probes and fractions."""
    shape = {"pp": (1, work.count, 0), "tg": (1, 1, work.count + 1), "st": (work.count, STREAM_PROMPT, STREAM_TOKENS + 1)}
    streams, prompt, generate = shape[work.kind]
    command = [args.scout, "bench", args.model, "--json", "-q", "-r", "1", "-t", str(args.threads), "-p", str(prompt), "-n", str(generate),
               "-d", str(work.depth), "-b", str(streams)] + args.scout_option
    if args.step_rows:
        command += ["--step-rows", str(args.step_rows)]
    report = run_json(command)
    phase = report["prefill" if work.kind == "pp" else "decode"]

    def first(values):
        return values[0] if values else None

    found = {name: first(report["probes"][name]) for name in ("read_gb_per_s", "int8_tops")}
    found.update({name: first(phase[name]) for name in ("of_read", "of_peak", "of_roofline")})
    return first(phase["tokens_per_s"]), found


def theirs(args, program, work):
    common = ["-m", args.model, "-t", str(args.threads)]
    if args.step_rows:
        common += ["-ub", str(args.step_rows), "-b", str(max(args.step_rows, 2048))]
    if work.kind == "st":
        return their_streams(program, common + args.peer_option, work.count)
    prompt, generate = (work.count, 0) if work.kind == "pp" else (0, work.count)
    command = [program, "-o", "json", "-r", "1", "-p", str(prompt), "-n", str(generate)] + common
    if work.depth:
        command += ["-d", str(work.depth)]
    for entry in run_json(command + args.peer_option):
        if entry.get("n_prompt") == prompt and entry.get("n_gen") == generate:
            return float(entry["avg_ts"])
    die(f"{program}: no result with n_prompt {prompt} and n_gen {generate}")


def their_streams(program, options, streams):
    """The column S_TG of the row of `streams` streams: | PP | TG | B | N_KV | T_PP | S_PP | T_TG | S_TG | T | S |, on either output"""
    program = os.path.join(os.path.dirname(program), "llama-batched-bench")
    room = streams * (STREAM_PROMPT + STREAM_TOKENS)
    command = [program, "-c", str(room), "-npp", str(STREAM_PROMPT), "-ntg", str(STREAM_TOKENS), "-npl", str(streams)] + options
    for line in "\n".join(run(command)).splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 10 and cells[2] == str(streams):
            return float(cells[7])
    die(f"{program}: no row of {streams} streams")


def median(values):
    values = [v for v in values if v is not None]
    return statistics.median(values) if values else None


def ratio(a, b):
    """Median of the paired ratios a/b and the ends of a 95 % interval of their middle; no interval for a single round."""
    ratios = [x / y for x, y in zip(a, b)]
    if len(ratios) < 2:
        return ratios[0], None, None
    logs = [math.log(r) for r in ratios]
    freedom = len(logs) - 1
    half = (T[freedom] if freedom < len(T) else 1.96) * statistics.stdev(logs) / math.sqrt(len(logs))
    middle = statistics.mean(logs)
    return statistics.median(ratios), math.exp(middle - half), math.exp(middle + half)


def number(value, form):
    return "-" if value is None else format(value, form)


def table(args, works, names, speeds, limits):
    lines = [f"Model `{args.model.rsplit('/', 1)[-1]}`, {args.threads or 'all'} threads, {args.rounds} rounds, engines in turn within each;"
             " medians; least and most in brackets. Random token ids.", ""]
    peers = [n for n in names if n != OURS]
    head = ["work"] + [f"{n}, tokens/s" for n in names] + [f"{OURS} / {n}" for n in peers] + \
           ["read, GB/s", "int8, TOPS", "of read", "of peak", "of roofline"]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for work in works:
        mine = speeds[work.name]
        row = [work.name]
        for name in names:
            values = mine[name]
            row.append(f"{statistics.median(values):.2f} ({min(values):.2f}-{max(values):.2f})")
        for name in peers:
            middle, low, high = ratio(mine[OURS], mine[name])
            row.append(f"{middle:.3f}" + ("" if low is None else f" [{low:.3f}, {high:.3f}]"))
        found = limits[work.name]
        row += [number(median([r[key] for r in found]), form) for key, form in
                (("read_gb_per_s", ".1f"), ("int8_tops", ".2f"), ("of_read", ".1%"), ("of_peak", ".1%"), ("of_roofline", ".1%"))]
        lines.append("| " + " | ".join(row) + " |")
    return "\n".join(lines) + "\n"


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def plot(works, names, speeds):
    """A group of bars for each work, each bar relative to the group's tallest median; a line from the least to the most, a dot a round."""
    colours = ["#1f77b4", "#ff7f0e", "#2ca02c", "#9467bd", "#8c564b", "#7f7f7f"]
    bar, gap, height, left, top = 34, 40, 220, 20, 40 + 18 * len(names)
    group = bar * len(names) + gap
    width = left * 2 + group * len(works)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{max(width, 320)}" height="{top + height + 40}" font-family="sans-serif" font-size="12">',
           '<rect width="100%" height="100%" fill="white"/>']
    for i, name in enumerate(names):
        out.append(f'<rect x="{left}" y="{12 + 18 * i}" width="12" height="12" fill="{colours[i % len(colours)]}"/>'
                   f'<text x="{left + 18}" y="{22 + 18 * i}">{escape(name)}, tokens/s</text>')
    for g, work in enumerate(works):
        most = max(max(speeds[work.name][name]) for name in names)
        x0, base = left + g * group + gap / 2, top + height
        y = lambda value: base - height * value / most
        for i, name in enumerate(names):
            values, x = speeds[work.name][name], x0 + i * bar
            middle = statistics.median(values)
            out.append(f'<rect x="{x + 3:.1f}" y="{y(middle):.1f}" width="{bar - 6}" height="{base - y(middle):.1f}" fill="{colours[i % len(colours)]}"/>')
            out.append(f'<line x1="{x + bar / 2:.1f}" x2="{x + bar / 2:.1f}" y1="{y(min(values)):.1f}" y2="{y(max(values)):.1f}" stroke="black"/>')
            out += [f'<circle cx="{x + bar / 2:.1f}" cy="{y(v):.1f}" r="1.8" fill="black"/>' for v in values]
            out.append(f'<text x="{x + bar / 2:.1f}" y="{y(max(values)) - 4:.1f}" text-anchor="middle" font-size="10">{middle:.4g}</text>')
        out.append(f'<text x="{x0 + bar * len(names) / 2:.1f}" y="{base + 18}" text-anchor="middle">{escape(work.name)}</text>')
    out.append(f'<line x1="{left}" x2="{width - left}" y1="{top + height}" y2="{top + height}" stroke="black"/></svg>')
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scout", required=True, help="the scout program")
    parser.add_argument("--model", required=True, help="a file that every engine reads")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=PROGRAM", help="a llama-bench; may be repeated")
    parser.add_argument("--work", default="pp512,tg128", help="separated by commas (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5, help="at least five make an interval worth quoting (default: %(default)s)")
    parser.add_argument("--step-rows", type=int, default=0, help="tokens of a step; llama-bench's -ub (default: each engine's own)")
    parser.add_argument("--scout-option", action="append", default=[], metavar="OPTION", help="one more word for scout bench")
    parser.add_argument("--peer-option", action="append", default=[], metavar="OPTION", help="one more word for every peer")
    parser.add_argument("--output", help="Markdown; default: only the terminal")
    parser.add_argument("--plot", help="SVG")
    parser.add_argument("--raw", help="every figure, as JSON")
    args = parser.parse_args()
    if args.rounds < 1:
        die(f"--rounds {args.rounds}: at least one is needed")
    works = [Work(text) for text in args.work.split(",")]
    engines = [(OURS, None)]
    for text in args.peer:
        name, equals, program = text.partition("=")
        if not (name and equals and program) or name in [n for n, _ in engines]:
            die(f"--peer \"{text}\": expected NAME=PROGRAM, each name once")
        engines.append((name, program))
    names = [name for name, _ in engines]
    speeds = {w.name: {n: [] for n in names} for w in works}
    limits = {w.name: [] for w in works}
    for r in range(args.rounds):
        for work in works:
            for i in range(len(engines)):
                name, program = engines[(r + i) % len(engines)]
                if program is None:
                    speed, found = ours(args, work)
                    limits[work.name].append(found)
                else:
                    speed = theirs(args, program, work)
                if not speed:
                    die(f"{name}, {work.name}: no speed was measured")
                speeds[work.name][name].append(speed)
                print(f"round {r + 1} of {args.rounds}, {work.name}, {name}: {speed:.2f} tokens/s", file=sys.stderr, flush=True)
    text = table(args, works, names, speeds, limits)
    print(text, end="")
    if args.output:
        open(args.output, "w", encoding="utf-8").write(text)
    if args.plot:
        open(args.plot, "w", encoding="utf-8").write(plot(works, names, speeds))
    if args.raw:
        json.dump({"model": args.model, "speeds": speeds, "limits": limits}, open(args.raw, "w", encoding="utf-8"), indent=1)


if __name__ == "__main__":
    main()
