"""The programs in examples/python run and answer."""
import os
import pathlib
import subprocess
import sys
import unittest

from tiny import ANSWER, CASES, QUESTION, QUESTIONS

FOLDER = pathlib.Path(os.environ.get("SCOUT_EXAMPLES", pathlib.Path(__file__).resolve().parents[3] / "examples" / "python"))


def run(name, *arguments, given=""):
    done = subprocess.run([sys.executable, str(FOLDER / name), *arguments], input=given, capture_output=True, text=True, timeout=120)
    if done.returncode != 0 or done.stderr:
        raise AssertionError("%s ended with %d: %s" % (name, done.returncode, done.stderr))
    return done.stdout


class Examples(unittest.TestCase):
    def test_hello(self):
        self.assertGreater(len(run("hello.py")), 40)

    def test_chat(self):
        self.assertIn("> %s\n%s\n(" % (QUESTION, ANSWER), run("chat.py", "scout-tiny", QUESTION, "Hello!"))
        self.assertIn(ANSWER, run("chat.py", given=QUESTION + "\n"))

    def test_stream(self):
        self.assertIn("(cancelled after ", run("stream.py", "scout-tiny", "0.05"))

    def test_picture(self):
        refused = CASES["chat_image.picture_first"].get("names")  # of a model without vision
        done = subprocess.run([sys.executable, str(FOLDER / "picture.py")], capture_output=True, text=True, timeout=120)
        if refused:
            self.assertEqual((done.returncode, done.stderr), (1, "picture: %s\n" % refused))
        else:
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertRegex(done.stdout, "red|circle")

    def test_many(self):
        out = run("many.py", "scout-tiny", *[question for question, _ in QUESTIONS])
        for question, answer in QUESTIONS:
            self.assertIn("%s\n  %s\n" % (question, answer), out)


if __name__ == "__main__":
    unittest.main()
