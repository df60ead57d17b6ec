"""Text and ids in the types that Python programs have."""
import array
import unittest

import scout
from tiny import CASES, ModelTest, QUESTION

try:
    import numpy
except ImportError:
    numpy = None


class Text(ModelTest):
    def test_str_and_bytes_are_the_same_text(self):
        for text in ("", "Hi", "\U0001f98a\0x", "e\u0301"):
            data = text.encode()
            self.assertEqual(self.model.encode(text), self.model.encode(data))
            self.assertEqual(self.model.encode(bytearray(data)), self.model.encode(memoryview(data)))
            self.assertEqual(self.model.decode(self.model.encode(text)), text)

    def test_other_types_are_refused(self):
        for text in (None, 7, ["a"]):
            with self.assertRaises(TypeError):
                self.model.encode(text)
        for ids in (None, "12", b"12", [None], [1.5]):
            with self.assertRaises(TypeError):
                self.model.decode(ids)
        with self.assertRaises(OverflowError):
            self.model.decode([1 << 31])
        with self.assertRaises(TypeError):
            self.model.generate(None)

    def test_a_prompt_may_hold_a_nul(self):
        text, few = "Who are\0 you?", {"max_tokens": 12}
        with self.model.default_engine() as engine, self.model.chat() as chat:
            answer = engine.submit(chat.user(text), **few).text()
            self.assertEqual(engine.submit(text, **few).text(), answer)
        self.assertEqual(self.model.generate(text, **few).text(), answer)
        self.assertNotEqual(self.model.generate("Who are", **few).text(), answer)

    def test_a_model_may_lie_on_two_devices(self):
        few = {"max_tokens": 12}
        with scout.load("scout-tiny", placement="experts=ref; head=ref") as placed:
            self.assertEqual(placed.generate(QUESTION, **few).text(), self.model.generate(QUESTION, **few).text())
            self.assertEqual([device.name for device in placed.devices], ["cpu", "ref"])
            self.assertTrue(all(device.weight_bytes > 0 for device in placed.devices))
            self.assertTrue(placed.info["placement"].endswith("head=ref"), placed.info["placement"])
        with self.assertRaisesRegex(scout.ArgumentError, 'there is no unit "tail"'):
            scout.load("scout-tiny", placement="tail=ref")

    def test_a_raw_prompt_goes_on_from_the_text(self):
        few = {"max_tokens": 8, "raw": True}
        with self.model.engine() as engine:
            answer = engine.submit("The fox", **few).text()
            ids = self.model.encode("The fox", bos=True)
            self.assertEqual(engine.submit(ids, max_tokens=8).text(), answer)
        self.assertEqual(self.model.generate("The fox", **few).text(), answer)

    def test_ids_of_any_iterable(self):
        ids = self.model.encode("The fox ran.")
        for given in (tuple(ids), iter(ids), array.array("i", ids), array.array("q", ids)):
            self.assertEqual(self.model.decode(given), "The fox ran.")

    @unittest.skipIf(numpy is None, "NumPy is not installed")
    def test_ids_of_numpy(self):
        ids = self.model.encode("The fox ran.")
        for dtype in ("int32", "int64", "uint16"):
            self.assertEqual(self.model.decode(numpy.array(ids, dtype)), "The fox ran.")

    def test_control_tokens_by_name(self):
        for case in CASES.values():
            if case["kind"] == "token" and case["special"]:
                self.assertEqual(self.model.find_token(case["bytes"]), case["id"])
                self.assertNotIn(case["id"], self.model.encode(case["bytes"]))
                self.assertEqual(self.model.encode(case["bytes"], special=True), [case["id"]])


class Options(ModelTest):
    def test_names_and_types_are_checked(self):
        for given, error, words in (({"temprature": 1}, TypeError, "temprature"), ({"temperature": "hot"}, TypeError, "temperature"),
                                    ({"max_tokens": 1 << 70}, OverflowError, "max_tokens"), ({"top_k": 1 << 40}, OverflowError, "top_k"),
                                    ({"stop": 7}, TypeError, "stop"), ({"bias": [1]}, TypeError, "bias"), ({"seed": -1}, OverflowError, "seed")):
            with self.assertRaisesRegex(error, words):
                self.model.generate(QUESTION, **given)
        with self.assertRaisesRegex(TypeError, "no option"):
            self.model.engine(max_runing=3)

    def test_stop_takes_one_text_or_many(self):
        whole = self.model.generate(QUESTION).text()
        cut = whole[-3:]
        for stop in (cut, cut.encode(), [cut], ("never to be seen", cut)):
            self.assertEqual(self.model.generate(QUESTION, stop=stop).text(), whole[:-3])

    def test_bias_takes_a_mapping_or_pairs(self):
        first = self.model.generate(QUESTION).next().ids[0]
        for bias in ({first: float("-inf")}, [(first, float("-inf"))]):
            self.assertNotEqual(self.model.generate(QUESTION, bias=bias, max_tokens=1).next().ids[:1], (first,))

    def test_exceptions_are_also_what_python_calls_them(self):
        for error, base in ((scout.ArgumentError, ValueError), (scout.NoMemoryError, MemoryError), (scout.StateError, RuntimeError),
                            (scout.DeniedError, PermissionError), (scout.TruncatedError, EOFError)):
            self.assertTrue(issubclass(error, base))
            self.assertEqual(str(error("a sentence")), "a sentence")
        with self.assertRaisesRegex(ValueError, "top_p"):
            self.model.generate(QUESTION, top_p=2.0)


class Devices(unittest.TestCase):
    def test_ref_is_always_there(self):
        self.assertIn("ref", [device.name for device in scout.devices()])

    def test_texts_about_the_library(self):
        self.assertRegex(scout.version(), r"^\d+\.\d+\.\d+$")
        self.assertTrue(scout.build_info())


if __name__ == "__main__":
    unittest.main()
