#!/usr/bin/env python3
"""libscout.so, the scout program and tests/bench/gpu_report with a device: the emulated one, whose plug-in calls itself cuda."""
import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import unittest
from importlib.machinery import SourceFileLoader

ARGUMENTS = None


class WithTheEmulator(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        # Plug-ins are looked for in "scout" beside the library, so the library gets a place beside the emulator's.
        cls.libraries = os.path.join(cls.folder.name, "lib")
        os.makedirs(os.path.join(cls.libraries, "scout"))
        os.symlink(os.path.realpath(ARGUMENTS.library), os.path.join(cls.libraries, "libscout.so.0"))
        cls.plugins = os.path.join(cls.libraries, "scout")
        os.symlink(os.path.realpath(ARGUMENTS.plugin), os.path.join(cls.plugins, "libscout-cuda.so"))
        cls.model = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "tests", "fixtures", "goldens")
        for path, _, files in sorted(os.walk(cls.model)):
            found = [f for f in sorted(files) if f.endswith(".gguf")]
            if found:
                cls.model = os.path.join(path, found[0])
                break

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def run_it(self, command, **variables):
        environment = dict(os.environ, LD_LIBRARY_PATH=self.libraries, TMPDIR=self.folder.name, **variables)
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)

    def scout(self, *words, **variables):
        return self.run_it([ARGUMENTS.scout, *words], **variables)

    def report(self, *words, **variables):
        out = os.path.join(self.folder.name, "report")
        done = self.run_it([sys.executable, "-B", ARGUMENTS.report, "--scout", ARGUMENTS.scout, "--probe", ARGUMENTS.probe, "--plugin-folder", self.plugins,
                            "--library-folder", self.libraries, "--output", out, *words], **variables)
        with open(out + ".json") as file:
            return done, json.load(file)

    def test_the_device_is_listed_with_its_memory(self):
        done = self.scout("devices", "--json", SCOUT_SIMT_MEMORY="12345600")
        self.assertEqual(done.returncode, 0, done.stderr)
        cuda = [d for d in json.loads(done.stdout) if d["name"] == "cuda"]
        self.assertEqual(len(cuda), 1, done.stdout)
        self.assertEqual(cuda[0]["memory_total_bytes"], 12345600)

    def test_the_self_test_passes_at_both_widths(self):
        for warp in "32", "64":
            done = self.scout("selftest", "--device", "cuda", "--formats", "Q8_0", "--json", SCOUT_SIMT_WARP=warp)
            rows = json.loads(done.stdout)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            self.assertEqual([r["passed"] for r in rows], [True] * 4)

    def test_a_kernel_that_is_not_the_right_one_is_refused_at_load(self):
        done = self.scout("selftest", "--device", "cuda", "--formats", "Q8_0", SCOUT_SIMT_PLANT="product")
        self.assertEqual(done.returncode, 1, done.stdout)
        self.assertIn("fails its self-test: a product of many rows, Q6_K: ", done.stdout)

    def test_a_device_that_is_lost_at_any_time_is_a_sentence(self):
        for calls in "0", "1", "30", "300", "900":
            done = self.scout("selftest", "--device", "cuda", "--formats", "Q8_0", SCOUT_SIMT_PLANT="lost", SCOUT_SIMT_CALLS=calls)
            self.assertEqual(done.returncode, 1, f"{calls}: {done.returncode} {done.stdout} {done.stderr}")
            self.assertIn("fallen off the bus (46)", done.stdout, calls)

    def test_a_model_that_does_not_fit_is_told_with_numbers(self):
        done = self.scout("selftest", "--device", "cuda", "--formats", "Q8_0", SCOUT_SIMT_MEMORY="3000000")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, "the model needs at least [0-9]+ bytes .* are left by the device \"simt32\"")

    def test_each_of_two_devices_is_listed_and_computes(self):
        done = self.scout("devices", "--json", SCOUT_SIMT_DEVICES="2")
        self.assertEqual([d["name"] for d in json.loads(done.stdout) if d["name"].startswith("cuda")], ["cuda", "cuda:1"], done.stdout)
        tokens, out = (os.path.join(self.folder.name, name) for name in ("tokens.txt", "logits.npy"))
        with open(tokens, "w") as file:
            file.write("1 2 3 4 5")

        def logits(*words):
            done = self.scout("logits", self.model, "--tokens", tokens, "--output", out, "-q", *words, SCOUT_SIMT_DEVICES="2")
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, "rb") as file:
                return file.read()

        want = logits("--device", "cpu")
        for words in (["--device", "cuda:1"], ["--device", "cuda:0,cuda:1"], ["--device", "cuda:0", "--placement", "experts=cpu"],
                      ["--device", "cpu", "--placement", "layers 1=cuda:1; head=cuda"]):
            self.assertEqual(logits(*words), want, words)

    def test_a_device_that_is_not_there_is_a_sentence(self):
        done = self.scout("inspect", self.model, "--device", "cuda:2", SCOUT_SIMT_DEVICES="2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("device cuda:2: the driver finds 2 devices, numbered from 0", done.stderr)

    def test_the_report_has_every_row(self):
        done, report = self.report("--model", self.model, "--small", "--device", "cuda", SCOUT_SIMT_LIBRARY="1")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        names = [row["name"] for row in report["rows"]]
        for name in ("self-test", "copy within the device", "products of matrices", "load", "decode, 1 stream", "prompt", "decode, 3 streams",
                     "decode at depth 24", "cost of invariant numerics: decode, 1 stream", "cost of invariant numerics: prompt",
                     "BF16, 136 rows by 64 x 64: own kernels", "F16, 72 rows by 64 x 64: a planted library"):
            self.assertIn(name, names)
        self.assertTrue(all(row["value"] > 0 for row in report["rows"]), report)
        self.assertIn("nothing about speed", done.stdout)

    def probe(self, **variables):
        done = self.run_it([ARGUMENTS.probe, "cuda", self.plugins, "1", "2"], **variables)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_a_librarys_times_stand_beside_those_of_own_kernels(self):
        races = self.probe(SCOUT_SIMT_LIBRARY="1")["races"]
        self.assertEqual([(r["format"], r["rows"], r["outputs"], r["k"], r["library"]) for r in races],
                         [(f, n, 64, 64, "a planted library") for f in ("F16", "BF16") for n in (72, 136)])
        self.assertTrue(all(r["own_s"] > 0 and r["library_s"] > 0 for r in races), races)
        without = self.probe()
        self.assertEqual((without["races"], without["no_library"]), ([], ""))
        self.assertIn("fakeCreate: planted", self.probe(SCOUT_SIMT_LIBRARY="1", SCOUT_SIMT_PLANT="library")["no_library"])

    def check_table(self, rows, table):
        """Each row has a figure or says in the table why not."""
        for row in rows:
            self.assertTrue("failure" in row and "value" not in row or row["value"] > 0, row)
            self.assertIn(f"| {row['name']} | " + ("failed | | " + row["failure"] if "failure" in row else ""), table)

    def races_of(self, probe=None, library="1", **variables):
        """What the report makes of the probe alone: its rows, by name, and its table."""
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("gpu_report", SourceFileLoader("gpu_report", ARGUMENTS.report)))
        module.__loader__.exec_module(module)
        _, arguments = module.parse(["--small", "--model", self.model, "--probe", probe or ARGUMENTS.probe, "--plugin-folder", self.plugins])
        report = module.Report(arguments)
        report.environment.update(LD_LIBRARY_PATH=self.libraries, SCOUT_SIMT_LIBRARY=library, **variables)
        report.device, report.facts["device"] = "cuda", {"name": "cuda", "description": "", "memory_total_bytes": 1}
        report.probes()
        table = report.markdown()
        self.check_table(report.rows, table)
        self.assertEqual(report.failed, len([row for row in report.rows if "failure" in row]))
        return {row["name"]: row for row in report.rows}, table

    SHAPES = [f"{f}, {n} rows by 64 x 64: {who}" for f in ("F16", "BF16") for n in (72, 136) for who in ("own kernels", "a planted library")]

    def test_a_shape_that_the_library_refuses_and_a_peer_that_is_not_there_are_rows_that_failed(self):
        done, report = self.report("--model", self.model, "--small", "--device", "cuda", "--peer", "/no/such/llama-bench", SCOUT_SIMT_LIBRARY="1",
                                   SCOUT_SIMT_PLANT="refusal")
        self.assertEqual((report["status"], done.returncode), (1, 1))
        self.check_table(report["rows"], done.stdout)
        rows = {row["name"]: row for row in report["rows"]}
        self.assertIn("value", rows["decode at depth 24"])  # it went on
        self.assertIn("No such file", rows["llama.cpp: prompt"]["failure"])
        for name in self.SHAPES:
            self.assertEqual("failure" in rows[name], name.endswith("72 rows by 64 x 64: a planted library"), name)
        for kind in "F16", "BF16":
            self.assertIn("is taken", rows[f"{kind}, 72 rows by 64 x 64: own kernels"]["note"])
            self.assertIn(f"refuses products of 72 rows with {kind} weights of 64 x 64: fakeFind: there is no algorithm",
                          rows[f"{kind}, 72 rows by 64 x 64: a planted library"]["failure"])

    def test_a_library_that_fails_in_its_race_is_in_every_row_of_it(self):
        rows, table = self.races_of(SCOUT_SIMT_PLANT="library", SCOUT_SIMT_CALLS="17")  # in its second plan
        for name in "F16, 136 rows by 64 x 64: a planted library", "BF16: a planted library":
            self.assertRegex(rows[name]["failure"], "^simt32: fake[A-Za-z]*: planted [(]14[)]")
        self.assertIn("value", rows["F16, 72 rows by 64 x 64: a planted library"])
        self.assertFalse([name for name, row in rows.items() if "planted" in name and "is taken" in row.get("note", "")], rows)
        self.assertIn("No library multiplies halves here: simt32: fake", table)

    def test_a_device_that_is_lost_in_a_race_leaves_what_was_measured_before(self):
        rows, _ = self.races_of(SCOUT_SIMT_PLANT="lost", SCOUT_SIMT_CALLS="70")
        self.assertIn("value", rows["products of matrices"])
        self.assertIn("the device is lost since ", rows["BF16: own kernels beside the vendor's library"]["failure"])

    def test_a_tie_is_own_kernels(self):
        rows, _ = self.races_of(SCOUT_SIMT_PLANT="tie")
        for name in self.SHAPES:
            self.assertEqual("is taken" in rows[name]["note"], "own kernels" in name, name)

    def test_a_time_of_nothing_is_a_failure(self):
        rows, _ = self.races_of(SCOUT_SIMT_PLANT="no clock")
        self.assertEqual({rows[name]["failure"] for name in self.SHAPES}, {"it took 0 s"})

    def planted(self, name, text):
        """A program that says this."""
        path = os.path.join(self.folder.name, name)
        with open(path, "w") as file:
            file.write(f"#!/bin/sh\ncat <<'EOF'\n{text}\nEOF\n")
        os.chmod(path, 0o755)
        return path

    def test_a_device_without_a_library_says_so(self):
        rows, table = self.races_of(library="0")
        self.assertEqual(list(rows), ["copy within the device", "products of matrices"])
        self.assertIn("No library multiplies halves here: this device has none.", table)

    def test_an_answer_without_figures_fails_its_rows_alone(self):
        for probe in "[]", "{}", "null", '{"copy_bytes_per_s": 0, "matrix_ops_per_s": null, "races": []}':
            rows, _ = self.races_of(self.planted("probe", probe))
            for name in "copy within the device", "products of matrices":
                self.assertIn("failure", rows[name])
        done, report = self.report("--model", self.model, "--small", "--device", "cuda", "--peer", self.planted("peer", "[]"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.check_table(report["rows"], done.stdout)
        self.assertEqual([row["name"] for row in report["rows"] if "failure" in row],
                         ["llama.cpp: decode, 1 stream", "llama.cpp: prompt", "llama.cpp: decode at depth 24"])

    def test_figures_of_a_failed_one_fail(self):
        done, report = self.report("--model", "/no/such/model.gguf", "--small", "--device", "cuda")
        self.assertEqual(done.returncode, 1, done.stderr)
        failed = {row["name"]: row["failure"] for row in report["rows"] if "failure" in row}
        self.assertIn("/no/such/model.gguf", failed["load"])
        for name in "decode, 1 stream", "prompt":
            self.assertEqual(failed[f"cost of invariant numerics: {name}"], f"{name}: failed")

    def test_without_a_device_the_report_says_so(self):
        done, report = self.report(SCOUT_SIMT_PLANT="none")
        self.assertEqual(done.returncode, 77, done.stdout + done.stderr)
        self.assertEqual(report["rows"], [])
        self.assertIn("Nothing was measured: there is no device that can be used (cuda: cannot be used: device cuda: the driver finds no device; "
                      "hip: its plug-in is not installed).", done.stdout)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for name in "scout", "library", "plugin", "probe", "report":
        parser.add_argument("--" + name, required=True)
    ARGUMENTS, rest = parser.parse_known_args()
    unittest.main(argv=[sys.argv[0], *rest])
