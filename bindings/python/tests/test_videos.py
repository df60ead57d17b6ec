"""Clips: as parts of messages, from files, closed and cancelled, and without what reads them."""
import gc
import os
import pathlib
import tempfile
import threading
import unittest
import weakref

import pictures
import scout
from suite import NotApplicable, unescape
from tiny import CASES, ModelTest
from videos import opened

CASE = CASES["video.a_frame_a_second"]  # 16 x 16 pixels, two seconds, two frames a second
CLIP = unescape(CASE["clip"])


class ClipTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        try:
            opened(CASE).close()
        except NotApplicable as why:
            raise unittest.SkipTest("skipped: %s" % why)
        super().setUpClass()


class Opening(ClipTest):
    def test_bytes_of_every_kind(self):
        for data in (CLIP, bytearray(CLIP), memoryview(CLIP)):
            with scout.Video.from_bytes(data) as video:
                self.assertEqual((video.info.width, video.info.height, video.info.frames), (16, 16, 2))
        for wrong in ("clip.mp4", None, [1, 2]):
            with self.assertRaises(TypeError):
                scout.Video.from_bytes(wrong)

    def test_a_file_whatever_its_name(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "clip.txt"
            path.write_bytes(CLIP)
            for given in (path, str(path), os.fsencode(path)):
                with scout.Video.from_file(given, fps=2) as video:
                    self.assertEqual([frame.time_us for frame in video], [0, 500000, 1000000, 1500000])

    def test_options_are_checked(self):
        for options, error, words in (({"speed": 2}, TypeError, "speed"), ({"fps": "fast"}, TypeError, "fps"),
                                      ({"count": 1 << 40}, OverflowError, "count"), ({"fps": float("nan")}, scout.ArgumentError, "fps"),
                                      ({"max_tiles": 257}, scout.ArgumentError, "max_tiles is 257, must be 0 to 256"),
                                      ({"plugin_dir": "no/such/folder"}, scout.UnsupportedError, "no/such/folder")):
            with self.subTest(options=options), self.assertRaisesRegex(error, words):
                scout.Video.from_bytes(CLIP, **options)


class Life(ClipTest):
    def test_closed_twice_and_used_afterwards(self):
        video = scout.Video.from_bytes(CLIP)
        frame = video.next()
        video.close()
        video.close()
        self.assertEqual(frame.image.size, (16, 16))  # the picture remains
        for use in (lambda: video.info, video.next, video.cancel, lambda: list(video)):
            with self.assertRaisesRegex(scout.StateError, "the Video is closed"):
                use()

    def test_a_loop_that_is_left_goes_on_where_it_was(self):
        with scout.Video.from_bytes(CLIP, fps=2) as video:
            for frame in video:
                break
            self.assertEqual([frame.time_us] + [later.time_us for later in video], [0, 500000, 1000000, 1500000])

    def test_forgotten_clips_are_freed(self):
        video = scout.Video.from_bytes(CLIP)
        gone = weakref.ref(video)
        del video
        gc.collect()
        self.assertIsNone(gone())

    def test_closing_under_threads_ends_their_calls(self):
        for _ in range(20):
            video, wrong = scout.Video.from_bytes(CLIP, fps=1000, max_frames=4000), []

            def take(video=video, wrong=wrong):
                try:
                    while True:
                        try:
                            if video.next() is None:
                                return
                        except scout.StateError as error:  # another thread is inside
                            if "closed" in str(error):
                                return
                except scout.CancelledError:
                    pass
                except BaseException as error:
                    wrong.append(error)

            threads = [threading.Thread(target=take) for _ in range(4)]
            for thread in threads:
                thread.start()
            video.close()
            for thread in threads:
                thread.join()
            self.assertEqual(wrong, [])


class Asked(ClipTest, ModelTest):
    def test_a_clip_is_its_frames_with_their_times(self):
        with scout.load(os.environ["SCOUT_SEEING"], vision=True) as model:
            with scout.Video.from_bytes(CLIP) as video:
                whole = model.chat().user("See: ", video, "What moves?")
                self.assertIsNone(video.next())  # the chat took them all
            with scout.Video.from_bytes(CLIP) as video:
                frames = list(video)
            by_frame = model.chat().user("See: ", *frames, "What moves?")
            by_hand = model.chat().begin("user").add_text("See: ")
            for image, time_us, _ in frames:
                by_hand.add_text("[%.1f s]" % (time_us / 1e6)).add_image(image)
                image.close()  # the chats keep what they need
            by_hand.add_text("What moves?")
            self.assertEqual(whole.tokens, by_frame.tokens)
            self.assertEqual(whole.tokens, by_hand.tokens)
            answers = []
            with model.engine() as engine:
                for chat in (whole, by_frame):
                    with engine.submit(chat, max_tokens=6, ignore_end=True, logprobs=True) as request:
                        answers.append([value for event in request for value in event.logprobs])
            self.assertEqual(answers[0], answers[1])

    def test_frames_are_one_tile_unless_more_are_asked_for(self):
        with scout.load(os.environ["SCOUT_SEEING"], vision=True) as model:
            side = model.tile_options["tile_side"]
            with pictures.picture([2 * side, side, 3, 1]) as wide:
                one, more = (len(model.chat().user(scout.Frame(wide, 0, tiles), "?").tokens) for tiles in (0, 4))
                self.assertGreater(more, one)
                with self.assertRaisesRegex(scout.ArgumentError, "max_tiles"):
                    model.chat().user(scout.Frame(wide, 0, 257))
                with self.assertRaisesRegex(scout.ArgumentError, "time_us"):
                    model.chat().user(scout.Frame(wide, -1))
        with scout.Video.from_bytes(CLIP, max_tiles=4) as video:
            self.assertEqual(video.next().max_tiles, 4)

    def test_a_failed_clip_leaves_the_message_as_it_was(self):
        with scout.load(os.environ["SCOUT_SEEING"], vision=True) as model:
            chat = model.chat().begin("user").add_text("so")
            before = chat.tokens
            with scout.Video.from_bytes(CLIP, fps=2, max_work=2 * 16 * 16) as video, self.assertRaises(scout.LimitError):
                chat.add_video(video)
            self.assertEqual(chat.tokens, before)

    def test_a_clip_refused_before_the_message_is_begun(self):
        with self.model.chat() as chat, scout.Video.from_bytes(CLIP) as video:
            with self.assertRaises(TypeError):
                chat.user(video, 7)
            self.assertEqual(len(chat), 0)
            video.close()
            with self.assertRaisesRegex(scout.StateError, "the Video is closed"):
                chat.user(video)


if __name__ == "__main__":
    unittest.main()
