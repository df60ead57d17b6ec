"""Pictures: buffers of all kinds, closing, threads, and a chat with a model that sees."""
import array
import gc
import os
import pathlib
import threading
import unittest
import weakref

import pictures
import scout
from tiny import ModelTest

SMALL = {"tile_side": 16}
NUMBERS = [40, 30, 3, 1]


def as_bytes(tile):
    return tile.tobytes()


class Buffers(unittest.TestCase):
    def setUp(self):
        self.data = pictures.samples(40 * 30 * 3, 1)
        with pictures.picture(NUMBERS) as image:
            self.tile = as_bytes(image.tile(0, **SMALL))

    def check(self, *arguments):
        with scout.Image.from_pixels(*arguments) as image:
            self.assertEqual(image.size, (40, 30))
            self.assertEqual(as_bytes(image.tile(0, **SMALL)), self.tile)

    def test_every_kind_of_bytes(self):
        for pixels in (self.data, bytearray(self.data), memoryview(self.data), array.array("B", self.data)):
            self.check(pixels, 40, 30)
            self.check(pixels, 40, 30, 3)

    def test_a_shape_says_the_size(self):
        self.check(memoryview(self.data).cast("B", (30, 40, 3)))
        with scout.Image.from_pixels(memoryview(self.data[:1200]).cast("B", (30, 40))) as grey:
            self.assertEqual(grey.size, (40, 30))
        with self.assertRaisesRegex(ValueError, "width is 41, the array has 40"):
            self.check(memoryview(self.data).cast("B", (30, 40, 3)), 41)

    def test_numpy(self):
        try:
            import numpy
        except ImportError:
            self.skipTest("skipped: no NumPy")
        whole = numpy.frombuffer(self.data, numpy.uint8).reshape(30, 40, 3)
        self.check(whole)
        wide = numpy.zeros((60, 80, 3), numpy.uint8)
        wide[::2, 1::2] = whole
        self.check(wide[::2, 1::2])  # with gaps between its items
        with self.assertRaisesRegex(TypeError, "uint8"):
            self.check(whole.astype(numpy.float32))
        with scout.Image.from_pixels(whole) as image:
            tile = image.tile(0, **SMALL)
        self.assertIsInstance(tile, numpy.ndarray)
        self.assertEqual((tile.shape, tile.dtype, tile.flags.writeable), ((16, 16, 3), numpy.uint8, False))

    def test_what_is_no_picture(self):
        for pixels, arguments in ((None, (1, 1)), ("text", (1, 1)), ([1, 2, 3], (1, 1)), (b"abc", ()), (array.array("i", [1]), (1, 1)),
                                  (b"abc", (1.0, 1)), (b"abc", ("1", 1))):
            with self.subTest(pixels=pixels), self.assertRaises((TypeError, AttributeError)):
                scout.Image.from_pixels(pixels, *arguments)
        with self.assertRaisesRegex(ValueError, "width is -1"):
            scout.Image.from_pixels(b"abc", -1, 1)
        with self.assertRaises(TypeError):
            scout.Image.from_pixels(b"abc", 1, 1, colour=7)
        with self.assertRaises(TypeError):
            scout.Image.from_bytes("text")
        with self.assertRaises(scout.LimitError):
            scout.Image.from_pixels(b"abc", 1 << 40, 1)
        with self.assertRaisesRegex(ValueError, "width is"):
            scout.tiling_of_size(1 << 64, 1)

    def test_a_file(self):
        path = pathlib.Path(__file__).resolve().parents[3] / "tests" / "fixtures" / "images" / "files" / "exif6.png"
        try:
            image = scout.Image.from_file(path)
        except scout.UnsupportedError as error:
            self.assertIn("plug-in", str(error))
            self.skipTest("skipped: %s" % error)
        with image, scout.Image.from_bytes(bytearray(path.read_bytes())) as same, scout.Image.from_file(str(path), orientation=1) as stored:
            self.assertEqual((image.info.format, image.info.orientation), ("PNG", 6))
            self.assertEqual(image.size, stored.size[::-1])
            self.assertEqual(as_bytes(image.tile(0, **SMALL)), as_bytes(same.tile(0, **SMALL)))
            self.assertNotEqual(as_bytes(image.tile(0, **SMALL)), as_bytes(stored.tile(0, **SMALL)))
        with self.assertRaisesRegex(scout.UnsupportedError, "no/such/folder"):
            scout.Image.from_file(path, plugin_dir="no/such/folder")


class Life(ModelTest):
    def test_closed_twice_and_used_afterwards(self):
        image = pictures.picture(NUMBERS)
        image.close()
        image.close()
        self.assertTrue(image.closed)
        for use in (lambda: image.info, image.tiling, lambda: image.tile(0), lambda: image.tokens(self.model),
                    lambda: self.model.chat().user(image), lambda: image.size):
            with self.assertRaisesRegex(scout.StateError, "the Image is closed"):
                use()

    def test_a_tile_outlives_its_picture(self):
        image = pictures.picture(NUMBERS)
        tile = image.tile(0, **SMALL)
        before = as_bytes(tile)
        image.close()
        del image
        gc.collect()
        self.assertEqual(as_bytes(tile), before)

    def test_forgotten_pictures_are_freed(self):
        image = pictures.picture(NUMBERS)
        gone = weakref.ref(image)
        del image
        gc.collect()
        self.assertIsNone(gone())

    def test_threads_share_one_until_it_is_closed(self):
        for seed in range(20):
            image, wrong = pictures.picture([300, 200, 3, seed]), []

            def look(image=image, wrong=wrong):
                try:
                    for side in range(8, 4096):
                        if image.tile(0, tile_side=side).shape != (side, side, 3):
                            wrong.append(side)
                except scout.StateError:
                    pass

            threads = [threading.Thread(target=look) for _ in range(4)]
            for thread in threads:
                thread.start()
            image.close()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])

    def test_a_message_has_parts(self):
        with self.model.chat() as chat:
            with self.assertRaises(TypeError):
                chat.user()
            with self.assertRaises(TypeError):
                chat.user("text", 7)
            self.assertEqual(len(chat), 0)  # refused before the message was begun
            parts, whole = self.model.chat().user("What is ", b"this?"), self.model.chat().user("What is this?")
            self.assertEqual(parts.tokens, whole.tokens)

    def test_a_model_that_sees_answers(self):
        with scout.load(os.environ["SCOUT_SEEING"], vision=True) as model, model.engine() as engine:
            options = model.tile_options
            answers = []
            for seed in (1, 2, 1):
                with pictures.picture([3 * options["tile_side"], options["tile_side"], 3, seed]) as image, model.chat() as chat:
                    chat.user(image, "what?")
                    self.assertIn(str(image.tokens(model, **options))[1:-1], str(chat.tokens))
                    self.assertEqual(len(image.tokens(model, **options)), image.tiling(**options).tokens)
                    with engine.submit(chat, max_tokens=8, ignore_end=True, logprobs=True) as request:
                        answers.append([value for event in request for value in event.logprobs])
        self.assertEqual(answers[0], answers[2])
        self.assertNotEqual(answers[0], answers[1])

    def test_pictures_of_texts_and_ids(self):
        few = {"max_tokens": 4, "ignore_end": True}
        with scout.load(os.environ["SCOUT_SEEING"], vision=True) as model, model.engine() as engine:
            image = pictures.picture([16, 16, 3, 1])
            shown, token = image.tokens(model, **model.tile_options), model.find_token("<|image|>")
            around = model.encode("a"), model.encode("b")
            ids = model.prompt_tokens("a<|image|>b", raw=True, images=[image])
            self.assertIn(str(shown)[1:-1], str(ids))
            self.assertEqual(model.expand_prompt([*around[0], token, *around[1]], [image]), [*around[0], *shown, *around[1]])
            for _ in range(2):
                with engine.submit("a<|image|>b", raw=True, images=[image], **few) as request:
                    self.assertEqual(list(request)[-1].prompt_tokens, len(ids))
            self.assertEqual((engine.stats["pictures_encoded"], engine.stats["picture_cache_misses"]), (1, 1))
            with engine.score([*around[0], token, *around[1]], images=[image]) as scores:
                self.assertEqual(sum(len(block) for block in scores), len(shown) + 2)
            with model.generate("what?", images=(image,), **few) as request:
                image.close()
                self.assertEqual(len(request.text()) > 0, True)
            with self.assertRaisesRegex(scout.ArgumentError, "2"):
                model.prompt_tokens("a", raw=True, images=[pictures.picture([8, 8, 3, 1])] * 2)
            with self.assertRaisesRegex(scout.StateError, "the Image is closed"):
                model.generate("what?", images=[image])
            with self.assertRaisesRegex(TypeError, "images"):
                model.generate("what?", images=["photo.jpg"])
            with model.engine(no_picture_cache=True) as forgetful, model.engine(picture_cache_bytes=1000) as small:
                self.assertEqual([e.stats["picture_cache_limit_bytes"] for e in (forgetful, small)], [0, 1000])

    def test_a_model_that_was_loaded_without_its_tower(self):
        with scout.load(os.environ["SCOUT_SEEING"]) as model, pictures.picture(NUMBERS) as image:
            with self.assertRaisesRegex(scout.UnsupportedError, "without its vision tower"):
                model.chat().user(image, "what?")
            with self.assertRaises(scout.StateError):
                model.tile_options


if __name__ == "__main__":
    unittest.main()
