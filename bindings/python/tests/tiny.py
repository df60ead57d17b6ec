"""What the tests share: the bundled model, and its answers from the list of behaviours."""
import json
import pathlib
import unittest

import scout

CASES = {case["name"]: case for case in json.loads((pathlib.Path(__file__).resolve().parents[2] / "conformance.json").read_text(encoding="ascii"))["cases"]}
QUESTION = CASES["generate.question_1"]["prompt"]
ANSWER = CASES["generate.question_1"]["text"]
QUESTIONS = list(zip(CASES["many.one_engine"]["prompt"], CASES["many.one_engine"]["text"]))
ENDLESS = {"ignore_end": True, "max_tokens": 4000}


class ModelTest(unittest.TestCase):
    """Tests over one model, loaded once for each class."""

    @classmethod
    def setUpClass(cls):
        cls.model = scout.load("scout-tiny")

    @classmethod
    def tearDownClass(cls):
        cls.model.close()
