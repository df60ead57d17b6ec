"""What a header leaves open is refused: each case changes one thing in a copy of the headers."""
import pathlib
import shutil
import tempfile
import unittest

import describe

INCLUDE = pathlib.Path(__file__).resolve().parents[2] / "include"

# (header, text, its replacement, what the refusal must name)
CASES = [
    ("chat.h", " * @threads any\n", "", "scout_chat_new: no @threads"),
    ("model.h", "@param[out] model  to be freed with scout_free; NULL", "@param[out] model  NULL", "scout_load: model: does not say"),
    ("request.h", "borrowed until the next scout_request_next on this request, or until it is freed; ", "",
     "event: does not say how long it lives"),
    ("status.h", "Never NULL, static.", "Never NULL.", "scout_status_text: does not say how long"),
    ("tokenizer.h", "_ARGUMENT for an id outside", "_ARGUMNT for an id outside", "SCOUT_ERR_ARGUMNT"),
    ("tokenizer.h", "@param[out] is_special", "@param is_special", "is_special: is written"),
    ("engine.h", "@param timeout_ms", "@param timeout", "@param of timeout"),
    ("engine.h", "@threads one at a time for an engine", "@threads one at a time", "does not say for what"),
    ("request.h", "/**< [bias_count]; -INFINITY forbids */", "/**< -INFINITY forbids */", "bias_values: no [count]"),
    ("request.h", "[id_count] tokens", "[ids_count] tokens", "[ids_count] is no member"),
    ("chat.h", "SCOUT_ROLE_TOOL = 3", "SCOUT_ROLE_TOOL", "every value must be a number"),
    ("device.h", "uint64_t memory_free_bytes;", "long memory_free_bytes;", "'long' is not one of"),
    ("device.h", "uint32_t struct_size;", "uint64_t struct_size;", "does not begin with uint32_t struct_size"),
    ("device.h", "uint64_t *count", "size_t *count", "size_t"),
    ("log.h", "SCOUT_END_DECLS", "SCOUT_API long scout_twice(int a, ...);\nSCOUT_END_DECLS", "scout_twice"),
    ("log.h", "SCOUT_END_DECLS", "int scout_hidden(void);\nSCOUT_END_DECLS", "not understood: 'int scout_hidden"),
    ("types.h", "/** A scoring under way. */\n", "", "scout_scores: no comment"),
    ("scout.h", "@file scout.h", "@file other.h", "does not begin with"),
]


class Headers(unittest.TestCase):
    def changed(self, header, text, replacement):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        copy = pathlib.Path(folder.name, "include")
        shutil.copytree(INCLUDE, copy)
        path = copy / "scout" / header
        before = path.read_text(encoding="utf-8")
        self.assertIn(text, before, "the case is out of date")
        path.write_text(before.replace(text, replacement, 1), encoding="utf-8")
        return copy

    def test_are_understood_as_they_are(self):
        abi = describe.Abi(INCLUDE)
        self.assertGreater(len(abi.functions), 50)

    def test_that_leave_something_open_are_refused(self):
        for header, text, replacement, named in CASES:
            with self.subTest(header=header, named=named):
                with self.assertRaises(describe.Refused) as caught:
                    describe.Abi(self.changed(header, text, replacement)).document()
                self.assertIn(named, str(caught.exception))

    def test_that_change_make_another_description(self):
        before = describe.dump(describe.Abi(INCLUDE).document())
        for header, text, replacement in [("chat.h", "SCOUT_ROLE_TOOL = 3", "SCOUT_ROLE_TOOL = 4"),
                                          ("device.h", "uint64_t memory_free_bytes;", "uint64_t memory_left_bytes;"),
                                          ("chat.h", "may be NULL with size 0", "not NULL")]:
            with self.subTest(text=text):
                self.assertNotEqual(before, describe.dump(describe.Abi(self.changed(header, text, replacement)).document()))


if __name__ == "__main__":
    unittest.main()
