"""Closing: twice, never, in the wrong order, under another thread's feet. Nothing of this may crash the process."""
import gc
import os
import subprocess
import sys
import threading
import time
import unittest
import weakref

import scout
from tiny import ANSWER, ENDLESS, QUESTION, ModelTest


class Closing(ModelTest):
    def test_twice_does_nothing(self):
        engine = self.model.engine()
        things = [scout.load("scout-tiny"), engine, self.model.chat(), engine.submit(QUESTION), engine.score([1, 2, 3])]
        for _ in range(2):
            for thing in things:
                thing.close()
                self.assertTrue(thing.closed)

    def test_a_closed_object_says_so(self):
        chat = self.model.chat()
        chat.close()
        with self.assertRaisesRegex(scout.StateError, "the Chat is closed") as caught:
            chat.user("Hi")
        self.assertEqual(caught.exception.status, -9)

    def test_cancelling_a_closed_request_is_harmless(self):
        request = self.model.generate(QUESTION)
        request.close()
        request.cancel()

    def test_parents_first(self):
        model = scout.load("scout-tiny")
        engine = model.engine()
        chat = model.chat().user(QUESTION)
        request = engine.submit(chat)
        scores = engine.score(model.encode("Hello there."))
        model.close()
        self.assertEqual(request.text(), ANSWER)
        self.assertGreater(sum(len(block) for block in scores), 0)
        engine.close()
        chat.user("More")
        chat.close()
        request.close()
        scores.close()

    def test_an_engine_that_goes_ends_its_requests(self):
        engine = self.model.engine()
        request = engine.submit(QUESTION, **ENDLESS)
        next(request)
        engine.close()
        self.assertEqual(list(request)[-1].stop, scout.STOP_CANCELLED)

    def test_forgotten_objects_are_freed(self):
        request = self.model.generate(QUESTION, **ENDLESS)
        gone = weakref.ref(request)
        next(request)
        del request
        gc.collect()
        self.assertIsNone(gone())

    def test_forgotten_in_a_cycle(self):
        engine = self.model.engine()
        cycle = [engine, engine.submit(QUESTION, **ENDLESS)]
        cycle.append(cycle)
        del engine, cycle
        gc.collect()

    def test_forgotten_at_the_end_of_the_program(self):
        program = "import scout; m = scout.load('scout-tiny'); e = m.engine(); r = e.submit('Hi', ignore_end=True); next(r); s = e.score([1, 2])"
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_waiting_daemon_threads_at_the_end_of_the_program(self):
        program = ("import scout, threading, time; m = scout.load('scout-tiny'); e = m.engine();"
                   "threading.Thread(target=e.next, daemon=True).start(); time.sleep(0.05)")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, b""))

    def test_closed_while_another_thread_waits(self):
        engine = self.model.engine()
        found = []

        def wait():
            try:
                found.append(engine.next())
            except scout.ScoutError as error:
                found.append(error)

        thread = threading.Thread(target=wait)
        thread.start()
        time.sleep(0.05)
        engine.close()
        thread.join(10)
        self.assertFalse(thread.is_alive())
        self.assertIsInstance(found[0], scout.StateError)

    def test_closed_while_other_threads_read(self):
        for _ in range(20):
            request = self.model.generate(QUESTION, **ENDLESS)
            next(request)
            errors = []

            def read():
                try:
                    for _ in request:
                        pass
                except scout.StateError as error:
                    errors.append(error)

            thread = threading.Thread(target=read)
            thread.start()
            request.close()
            thread.join(10)
            self.assertFalse(thread.is_alive())

    def test_a_child_after_fork_is_told(self):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.model.encode("Hi")
            except scout.StateError:
                code = 0
            finally:
                os._exit(code)
        self.assertEqual(os.waitpid(child, 0)[1], 0)
        self.assertTrue(self.model.encode("Hi"))

    def test_ctrl_c_ends_a_wait(self):
        program = ("import scout, signal, os, threading; m = scout.load('scout-tiny'); e = m.engine();"
                   "threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()\n"
                   "try: e.next()\nexcept KeyboardInterrupt: print('interrupted')")
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, b"interrupted\n", b""))


class Threads(ModelTest):
    def test_two_threads_in_one_request(self):
        with self.model.engine(stepped=False) as engine:
            with engine.score(self.model.encode("Hello there.")) as scores, engine.submit(QUESTION, **ENDLESS) as request:
                self.assertIsNotNone(scores.next())
                inside, errors = threading.Event(), []

                def read():
                    inside.set()
                    try:
                        for _ in range(200):
                            request.next(0.01)
                    except scout.StateError as error:
                        errors.append(error)

                threads = [threading.Thread(target=read) for _ in range(4)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join(30)
                for error in errors:  # whoever came second was told; nobody crashed
                    self.assertIn("another thread is inside", str(error))

    def test_other_threads_run_while_one_waits(self):
        with self.model.engine() as engine:
            ticks = []
            thread = threading.Thread(target=lambda: [(ticks.append(time.monotonic()), time.sleep(0.005)) for _ in range(10)])
            thread.start()
            engine._call(scout._native.scout_engine_next, 500)  # one native call: with the lock held there could be one tick at most
            self.assertGreaterEqual(len(ticks), 3)
            thread.join()

    def test_each_thread_reads_its_own_message(self):
        wrong = []

        def fail(name):
            for _ in range(100):
                try:
                    scout.load("no/such/" + name)
                except scout.IoError as error:
                    if name not in str(error):
                        wrong.append(str(error))

        threads = [threading.Thread(target=fail, args=("file-%d" % index,)) for index in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(wrong, [])

    def test_a_collection_at_every_allocation(self):
        old = gc.get_threshold()
        gc.set_threshold(1)
        try:
            for _ in range(20):
                with self.model.engine() as engine:
                    requests = [engine.submit(self.model.chat().user(QUESTION)) for _ in range(4)]
                    self.assertEqual([request.text() for request in requests], [ANSWER] * 4)
        finally:
            gc.set_threshold(*old)


if __name__ == "__main__":
    unittest.main()
