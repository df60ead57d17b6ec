#!/usr/bin/env python3
"""Holds the manual page and the completions against what `scout --help` and every command's --help say.

Usage: manual_test.py SCOUT FOLDER        FOLDER has scout.1, scout.bash, _scout, scout.fish
The page's roff is read by this script, and formatted by man where that is installed, which must not complain. The completion for bash is run
by bash, those for zsh and fish are parsed by their shells where they are installed.
"""
import pathlib
import re
import shutil
import subprocess
import sys
import unittest

SCOUT, FOLDER = str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]).resolve()


def help_of(*command):
    return subprocess.run([SCOUT, *command, "--help"], check=True, capture_output=True, text=True).stdout


def options_in(text):
    """The spellings at the beginnings of the lines below "Options:"."""
    found = set()
    for line in text[text.index("Options:"):].split("Subcommands:")[0].splitlines():
        match = re.match(r"\s+(-[^ ]+)", line)
        if match:
            found |= set(match[1].split(","))
    return found


def commands_in(text):
    return re.findall(r"^  (\w+) ", text[text.index("Subcommands:"):], flags=re.M)


def plain(roff):
    """Roff as its reader sees it, near enough for looking up words."""
    for what, to in ((r"\\f[BIR]", ""), (r"\\-", "-"), (r"\\&", ""), (r"\\\(aq", "'"), (r"\\\(ga", "`"), (r"\\e", "\\\\")):
        roff = re.sub(what, to, roff)
    return roff


TOP = help_of()
COMMANDS = commands_in(TOP)
PAGE = (FOLDER / "scout.1").read_text()


def part(title, level):
    """The page from a heading to the next of its level or higher."""
    end = r"^\.SH" if level == "SH" else r"^\.S[HS]"
    match = re.search(r'^\.%s "?%s\b[^\n]*\n(.*?)(?=%s|\Z)' % (level, re.escape(title), end), plain(PAGE), flags=re.M | re.S)
    return match[1] if match else ""


def heads(text):
    """What stands at the side of each paragraph."""
    return "\n".join(re.findall(r"^\.TP\n(.*)$", text, flags=re.M))


def spellings(text):
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


class Manual(unittest.TestCase):
    def test_help_is_understood(self):
        self.assertIn("run", COMMANDS)
        self.assertGreaterEqual(len(COMMANDS), 7)
        self.assertLessEqual({"-h", "--help", "-t", "--threads", "--seed", "--json"}, options_in(help_of("run")))

    def test_page_has_every_option_and_no_other(self):
        self.assertEqual(spellings(part("OPTIONS", "SH").replace("OPTIONS OF", "")), options_in(TOP))
        shared = spellings(heads(part("OPTIONS OF COMMANDS WITH A MODEL", "SH")))
        self.assertIn("--threads", shared)
        for command in COMMANDS:
            text = part("scout " + command, "SS")
            own = spellings(heads(text))
            self.assertEqual(own | (shared if "options of commands with a model" in text else set()), options_in(help_of(command)), command)

    def test_page_says_what_help_says(self):
        words = " ".join(plain(PAGE).split())
        for command in COMMANDS:
            about = re.search(r"^  %s +(.*)$" % command, TOP, flags=re.M)[1].strip()
            self.assertIn(" ".join(about.split()), words)
        for about in ("compute threads; 0 = as many as the process may use [0 - 4096]", "format of keys and values: f16, q8 (half of it), bf16, f32 (default f16)"):
            self.assertIn(about, words)

    @unittest.skipUnless(shutil.which("man"), "there is no man here")
    def test_page_formats(self):
        result = subprocess.run(["man", "--warnings=w", "-E", "UTF-8", "-l", str(FOLDER / "scout.1")], capture_output=True, text=True,
                                env={"PATH": "/usr/bin:/bin", "MANWIDTH": "100", "LC_ALL": "C.UTF-8"})
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stderr, "")
        text = re.sub(r".\x08", "", result.stdout)
        for heading in ("NAME", "SYNOPSIS", "COMMANDS", "EXIT STATUS", "ENVIRONMENT", "EXAMPLES"):
            self.assertRegex(text, "(?m)^%s$" % heading)


def complete(*words):
    """What bash offers for the last word."""
    script = 'source "$1" || exit 1; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _scout 2>/dev/null; printf "%s\\n" "${COMPREPLY[@]}"'
    result = subprocess.run(["bash", "--norc", "-c", script, "bash", str(FOLDER / "scout.bash"), *words], check=True, capture_output=True, text=True,
                            cwd=FOLDER, env={"PATH": f"{pathlib.Path(SCOUT).parent}:/usr/bin:/bin"})
    return set(result.stdout.split())


class Completion(unittest.TestCase):
    def test_bash_offers_every_command_and_option(self):
        self.assertEqual(complete("scout", ""), set(COMMANDS) | options_in(TOP))
        for command in COMMANDS:
            self.assertEqual(complete("scout", command, "-"), options_in(help_of(command)), command)

    def test_bash_completes_what_is_begun(self):
        self.assertEqual(complete("scout", "ru"), {"run"})
        self.assertEqual(complete("scout", "run", "scout-tiny", "--thr"), {"--threads"})
        self.assertEqual(complete("scout", "run", "--nonsense"), set())

    def test_bash_offers_values(self):
        self.assertEqual(complete("scout", "run", "--kv", ""), {"f16", "q8", "bf16", "f32"})
        self.assertEqual(complete("scout", "inspect", "--device", ""), {"cpu", "ref"})
        self.assertEqual(complete("scout", "run", "scout-t"), {"scout-tiny"})
        self.assertEqual(complete("scout", "tokenize", "x", "--file", "scout.f"), {"scout.fish"})
        self.assertEqual(complete("scout", "run", "x", "--seed", ""), set())

    def test_every_shell_knows_every_option(self):
        zsh, fish = (FOLDER / "_scout").read_text(), (FOLDER / "scout.fish").read_text()
        for command in COMMANDS:
            block = re.search(r"^ +%s\) _arguments(.*?);;" % command, zsh, flags=re.M | re.S)[1]
            lines = [line for line in fish.splitlines() if "-n '__fish_seen_subcommand_from %s'" % command in line]
            for option in options_in(help_of(command)):
                self.assertRegex(block, r"(?<![\w-])%s(?![\w-])" % re.escape(option), command)
                flag = "-l " + option[2:] if option.startswith("--") else "-s " + option[1:]
                self.assertTrue(any(flag + " " in line for line in lines), f"{command} {option}")

    def test_shells_parse_their_files(self):
        for shell, file in (("bash", "scout.bash"), ("zsh", "_scout"), ("fish", "scout.fish")):
            with self.subTest(shell=shell):
                if shutil.which(shell) is None:
                    self.skipTest(f"there is no {shell} here")
                result = subprocess.run([shell, "-n", str(FOLDER / file)], capture_output=True, text=True)
                self.assertEqual((result.returncode, result.stderr), (0, ""))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
