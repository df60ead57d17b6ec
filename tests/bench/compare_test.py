"""compare.py against programs that only say numbers, and against the scout program itself: compare_test.py [--scout PROGRAM --model FILE]"""
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree as xml

COMPARE = pathlib.Path(__file__).with_name("compare.py")
SCOUT = MODEL = None

# Speeds by call: a counter beside the program says which call this is.
PEER = """#!{python}
import json, pathlib, sys
calls = pathlib.Path(sys.argv[0] + ".calls")
log = calls.read_text().splitlines() if calls.exists() else []
calls.write_text("\\n".join(log + [" ".join(sys.argv[1:])]))
pathlib.Path({order!r}).open("a").write("{name} ")
option = lambda name: int(sys.argv[sys.argv.index(name) + 1])
speed = {speeds}[len(log)]
if {fail}: sys.exit("the machine is on fire")
print(json.dumps([dict(n_prompt=option("-p"), n_gen=option("-n"), avg_ts=speed, samples_ts=[speed])]))
"""
BATCHED = """#!{python}
print("main: n_kv_max = 640\\n")
print("|    PP |     TG |    B |   N_KV |   T_PP s | S_PP t/s |   T_TG s | S_TG t/s |      T s |    S t/s |")
print("|-------|--------|------|--------|----------|----------|----------|----------|----------|----------|")
print("|   128 |     32 |    4 |    640 |    1.000 |   512.00 |    2.000 |    64.00 |    3.000 |   213.33 |")
"""
OURS = """#!{python}
import json, pathlib, sys
pathlib.Path({order!r}).open("a").write("scout ")
generate = int(sys.argv[sys.argv.index("-n") + 1])
phase = dict(tokens_per_s=[300.0], of_read=[0.25], of_peak=[0.5], of_roofline=[0.75])
print(json.dumps(dict(probes=dict(read_gb_per_s=[50.0], int8_tops=[2.0]), prefill=phase,
                      decode=dict(phase, tokens_per_s=[60.0]) if generate > 1 else None)))
"""


def script(path, text):
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


class Compare(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.order = str(self.folder / "order")
        pathlib.Path(self.order).touch()

    def peer(self, name, speeds, fail=False):
        (self.folder / name).mkdir(exist_ok=True)
        script(self.folder / name / "llama-batched-bench", BATCHED.format(python=sys.executable))
        return f"{name}=" + script(self.folder / name / "llama-bench", PEER.format(python=sys.executable, order=self.order, name=name,
                                                                                   speeds=speeds, fail=fail))

    def scout(self):
        return script(self.folder / "scout", OURS.format(python=sys.executable, order=self.order))

    def run_it(self, *arguments):
        return subprocess.run([sys.executable, str(COMPARE), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_ratios_are_paired_and_engines_take_turns(self):
        table, plot, raw = (str(self.folder / n) for n in ("t.md", "p.svg", "r.json"))
        done = self.run_it("--scout", self.scout(), "--model", "m.gguf", "--peer", self.peer("a", [100, 150, 100, 200, 150]),
                           "--peer", self.peer("b", [300] * 5), "--work", "pp512", "--output", table, "--plot", plot, "--raw", raw)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(pathlib.Path(self.order).read_text().split(), "scout a b a b scout b scout a scout a b a b scout".split())
        row = [cell.strip() for cell in pathlib.Path(table).read_text().splitlines()[-1].strip("|").split("|")]
        self.assertEqual(row[:4], ["pp512", "300.00 (300.00-300.00)", "150.00 (100.00-200.00)", "300.00 (300.00-300.00)"])
        # 3, 2, 3, 1.5, 2: median 2; the logarithms' mean 0.79779, deviation 0.29867, five of them, t = 2.78.
        self.assertEqual(row[4], "2.000 [1.532, 3.219]")
        self.assertEqual(row[5], "1.000 [1.000, 1.000]")
        self.assertEqual(row[6:], ["50.0", "2.00", "25.0%", "50.0%", "75.0%"])
        root = xml.parse(plot).getroot()
        self.assertEqual(len(root.findall("{http://www.w3.org/2000/svg}circle")), 15)
        self.assertEqual(json.load(open(raw))["speeds"]["pp512"]["a"], [100, 150, 100, 200, 150])

    def test_depth_streams_and_threads_reach_the_programs(self):
        peer = self.peer("a", [10] * 4)
        done = self.run_it("--scout", self.scout(), "--model", "m.gguf", "--peer", peer, "--work", "tg16@4096,st4", "--rounds", "2", "--threads", "3")
        self.assertEqual(done.returncode, 0, done.stderr)
        calls = (self.folder / "a" / "llama-bench.calls").read_text().splitlines()
        self.assertEqual(len(calls), 2)
        self.assertIn("-p 0 -n 16 -m m.gguf -t 3 -d 4096", calls[0])
        self.assertRegex(done.stdout, r"\| st4 \| 60\.00 [^|]*\| 64\.00 [^|]*\| 0\.938 \[0\.938, 0\.938\]")

    def test_what_goes_wrong_is_one_line(self):
        scout, good = self.scout(), self.peer("a", [10] * 9)
        for words, expected in [(["--work", "pp0"], 'work "pp0"'), (["--peer", "x"], '--peer "x"'), (["--rounds", "0"], "--rounds 0"),
                                (["--peer", self.peer("c", [1], fail=True)], "the machine is on fire"),
                                (["--peer", "d=/nowhere/llama-bench"], "/nowhere/llama-bench: No such file")]:
            done = self.run_it("--scout", scout, "--model", "m.gguf", "--peer", good, "--rounds", "1", *words)
            self.assertEqual(done.returncode, 1, words)
            last = done.stderr.strip().splitlines()[-1]
            self.assertTrue(last.startswith("compare.py: ") and expected in last, last)

    def test_reads_what_the_scout_program_says(self):
        if not SCOUT:
            self.skipTest("no scout program was given")
        done = self.run_it("--scout", SCOUT, "--model", MODEL, "--peer", self.peer("a", [1] * 9), "--work", "pp32,tg4@32,st4", "--rounds", "1",
                           "--threads", "1", "--scout-option=--probe-mb", "--scout-option=16")
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = [line for line in done.stdout.splitlines() if re.match(r"\| (pp|tg|st)", line)]
        self.assertEqual(len(rows), 3)
        for row in rows:
            self.assertGreater(float(row.split("|")[2].split()[0]), 0)
            self.assertGreater(float(row.split("|")[5]), 0, "no probe: " + row)


if __name__ == "__main__":
    if "--scout" in sys.argv:
        SCOUT, MODEL = sys.argv[2], sys.argv[4]
        del sys.argv[1:5]
    os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    unittest.main()
