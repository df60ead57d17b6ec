"""Requests from asyncio, engines with a descriptor, the log, and views of logits."""
import asyncio
import gc
import logging
import select
import threading
import time
import unittest

import scout
from tiny import ANSWER, ENDLESS, QUESTION, QUESTIONS, ModelTest

try:
    import numpy
except ImportError:
    numpy = None


class Async(ModelTest):
    def test_async_for(self):
        async def ask(question):
            return "".join([event.text async for event in self.model.generate(question)])

        async def all_at_once():
            return await asyncio.gather(*[ask(question) for question, _ in QUESTIONS])

        self.assertEqual(asyncio.run(all_at_once()), [answer for _, answer in QUESTIONS])

    def test_many_more_streams_than_threads(self):
        async def main():
            with self.model.engine(max_running=4) as engine:
                async def ask():
                    return "".join([event.text async for event in engine.submit(QUESTION)])
                return await asyncio.gather(*[ask() for _ in range(150)])

        self.assertEqual(asyncio.run(main()), [ANSWER] * 150)

    def test_cancelling_the_task_cancels_the_request(self):
        async def main():
            request = self.model.generate(QUESTION, **ENDLESS)
            begun = asyncio.Event()

            async def read():
                async for _ in request:
                    begun.set()

            task = asyncio.ensure_future(read())
            await begun.wait()
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            request.cancel()
            await asyncio.sleep(0.3)  # the wait that was under way has ended
            return request

        with asyncio.run(main()) as request:
            self.assertEqual(list(request)[-1].stop, scout.STOP_CANCELLED)

    def test_a_loop_without_readers(self):
        class Loop(asyncio.SelectorEventLoop):
            def add_reader(self, *_):
                raise NotImplementedError

        async def main():
            with await scout.load_async("scout-tiny") as model:
                return "".join([event.text async for event in model.generate(QUESTION)])

        loop = Loop()
        try:
            self.assertEqual(loop.run_until_complete(main()), ANSWER)
        finally:
            loop.close()

    def test_closing_ends_a_tasks_wait(self):
        async def main():
            request = self.model.generate(QUESTION, **ENDLESS)

            async def read():
                async for _ in request:
                    pass

            task = asyncio.ensure_future(read())
            await asyncio.sleep(0.01)
            request.close()
            with self.assertRaises(scout.StateError):
                await task

        for _ in range(10):
            asyncio.run(main())

    def test_a_second_task_is_told(self):
        async def main():
            with self.model.engine(stepped=True) as engine, engine.submit(QUESTION) as request:
                first = asyncio.ensure_future(request.__anext__())
                await asyncio.sleep(0)
                with self.assertRaisesRegex(scout.StateError, "another task waits"):
                    await request.__anext__()
                while engine.step(0.01):
                    pass
                self.assertTrue((await first).text)

        asyncio.run(main())

    def test_no_thread_waits(self):
        before = threading.active_count()

        async def main():
            counts = []
            async for _ in self.model.generate(QUESTION):
                counts.append(threading.active_count())
            return max(counts)

        self.assertEqual(asyncio.run(main()), before)

    def test_loading(self):
        async def main():
            with await scout.load_async("scout-tiny") as model:
                return model.generate(QUESTION).text()

        self.assertEqual(asyncio.run(main()), ANSWER)
        with self.assertRaises(scout.IoError):
            asyncio.run(scout.load_async("no/such/file"))


class Engines(ModelTest):
    def test_the_descriptor_is_readable_when_there_is_an_event(self):
        with self.model.engine() as engine, engine.submit(QUESTION):
            text = ""
            while not text.endswith(ANSWER):
                self.assertTrue(select.select([engine], [], [], 30)[0])
                event = engine.next(0)
                text += event.text if event else ""

    def test_stepped(self):
        with self.model.engine(stepped=True) as engine, engine.submit(QUESTION) as request:
            self.assertIsNone(request.next(0))
            while engine.step(0.004):
                pass
            self.assertEqual(request.text(), ANSWER)
            self.assertEqual(engine.stats["running"], 0)
            self.assertGreater(engine.stats["generated_tokens"], 0)

    def test_the_default_engine_is_the_one_that_generates(self):
        with scout.load("scout-tiny") as model, model.default_engine() as engine:
            before = engine.stats["generated_tokens"]
            with model.generate(QUESTION) as request:
                self.assertEqual(request.text(), ANSWER)
            self.assertGreater(engine.stats["generated_tokens"], before)
            engine.close()  # of the handle only
            self.assertEqual(model.generate(QUESTION).text(), ANSWER)

    def test_wake_ends_a_wait_of_any_thread(self):
        with self.model.engine() as engine:
            thread = threading.Thread(target=lambda: (time.sleep(0.02), engine.wake()))
            thread.start()
            self.assertIsNone(engine.next())  # in the main thread
            thread.join()
            found = []
            thread = threading.Thread(target=lambda: found.append(engine.next()))
            thread.start()
            engine.wake()
            thread.join(60)
            self.assertEqual(found, [None])
            engine.wake()  # before anybody waits: the next one that finds nothing
            self.assertIsNone(engine.next())

    def test_the_first_reader_keeps_a_request(self):
        with self.model.engine() as engine, engine.submit(QUESTION, tag=1) as first, engine.submit(QUESTION, tag=2) as second:
            self.assertEqual(second.text(), ANSWER)
            self.assertEqual(engine.next().tag, 1)
            with self.assertRaises(scout.StateError):
                first.next()

    def test_ids_as_a_prompt(self):
        with self.model.engine() as engine, self.model.chat() as chat:
            self.assertEqual(engine.submit(chat.user(QUESTION).tokens).text(), ANSWER)

    def test_progress_of_a_load(self):
        seen = []
        with scout.load("scout-tiny", progress=lambda done, total: seen.append((done, total))) as model:
            self.assertEqual(seen[-1][0], seen[-1][1])
            self.assertGreater(model.info["parameters"], 0)


class Log(unittest.TestCase):
    def test_lines(self):
        self.assertIsNone(scout.next_log())  # not open
        scout.open_log(logging.INFO)
        try:
            scout.load("scout-tiny").close()
            level, text = scout.next_log()
            self.assertEqual(level, logging.INFO)
            self.assertRegex(text, "^loaded .*scout-tiny")
            self.assertIsNone(scout.next_log(0.01))
            found = []
            thread = threading.Thread(target=lambda: found.append(scout.next_log()))
            thread.start()
        finally:
            scout.close_log()
        thread.join(60)
        self.assertEqual(found, [None])

    def test_logging(self):
        with self.assertLogs("scout", logging.INFO) as seen, scout.log_to():
            scout.load("scout-tiny").close()
            for _ in range(6000):
                if seen.output:
                    break
                time.sleep(0.01)
        self.assertRegex(seen.output[0], "INFO:scout:loaded .*scout-tiny")
        self.assertIsNone(scout.next_log(0))  # silent again

    def test_names(self):
        self.assertEqual(scout.status_name(scout.LimitError.status), "SCOUT_ERR_LIMIT")


class Logits(ModelTest):
    def scores(self, engine, **options):
        return engine.score(self.model.encode("7 + 5 = 12.", bos=True), logits=True, **options)

    def test_a_view_is_the_librarys_memory(self):
        with self.model.engine() as engine, self.scores(engine) as scores:
            block = scores.next()
            view, copy = block.view(), block.logits
            self.assertEqual((len(block), block.vocabulary), tuple(view.shape))
            self.assertEqual([view[0, i] for i in range(9)], [copy[0, i] for i in range(9)])
            if numpy is not None:
                self.assertFalse(view.flags.owndata)
                self.assertEqual(view.__array_interface__["data"][0], block._address)
            del view

    def test_a_view_in_use_is_not_pulled_away(self):
        with self.model.engine() as engine, self.scores(engine) as scores:
            row = scores.next().view()[0:1]
            with self.assertRaisesRegex(scout.StateError, "still in use"):
                scores.next()
            value = row[0, 0]
            scores.close()  # the memory waits for the view
            engine.close()
            self.assertEqual(row[0, 0], value)
            del row
            gc.collect()

    def test_copies_stay(self):
        with self.model.engine() as engine, self.scores(engine, positions=[1, 3]) as scores:
            blocks = list(scores)
        self.assertEqual([position for block in blocks for position in block.positions], [1, 3])
        with self.assertRaisesRegex(scout.StateError, "memory went"):
            blocks[0].view()
        self.assertIsNone(blocks[0].logprobs)

    def test_copies_taken_in_time_stay(self):
        with self.model.engine() as engine, self.scores(engine) as scores:
            kept = [block.logits for block in scores]
        gc.collect()
        self.assertTrue(all(rows[0, 0] == rows[0, 0] for rows in kept))

    def test_logprobs_have_no_logits(self):
        with self.model.engine() as engine, engine.score([1, 2, 3]) as scores:
            block = scores.next()
            self.assertIsNone(block.logits)
            with self.assertRaisesRegex(scout.StateError, "no logits"):
                block.view()

    def test_cancel_from_another_thread(self):
        with self.model.engine() as engine, engine.score([1] * 2000, logits=True) as scores:
            thread = threading.Thread(target=scores.cancel)
            scores.next()
            thread.start()
            thread.join()
            with self.assertRaises(scout.CancelledError):
                for _ in scores:
                    pass


if __name__ == "__main__":
    unittest.main()
