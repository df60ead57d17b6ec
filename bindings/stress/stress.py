"""Many threads on one model, and what grows. Usage: stress.py THREADS LOOPS [THRESHOLD]     of the garbage collector: 1 by default"""
import gc
import os
import sys
import threading

import scout

FEW, ENDLESS = {"max_tokens": 4}, {"ignore_end": True, "max_tokens": 4000}


def resident():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def chat(model, _answer, i):
    with model.chat() as talk:
        talk.system("Be brief.").user("Hello %d" % i)
        assert len(talk.tokens) > 8


def answer(model, expected, _i):
    with model.generate("Hello!", **FEW) as request:
        assert request.text() == expected


def leave(model, _answer, i):
    request = model.generate("Hello!", **ENDLESS)
    request.next()
    if i % 2:
        closing = threading.Thread(target=request.close)
        closing.start()
        try:
            for _ in request:
                pass
        except scout.StateError:
            pass
        closing.join()
    request.close()


def text(model, _answer, i):
    given = "a\0b %d \N{LATIN SMALL LETTER E WITH ACUTE}" % i
    assert model.decode(model.encode(given)) == given


def failure(_model, _answer, i):
    name = "no/such/file-%d-%d" % (threading.get_ident(), i)
    try:
        scout.load(name)
        raise AssertionError("it loaded")
    except scout.IoError as error:
        assert name in str(error), error


def engine(model, _answer, i):
    own = model.engine(context=256, stepped=bool(i % 2))
    request = own.submit("Hello!", logprobs=True, top_logprobs=2, **FEW)
    if i % 2:
        own.step(0)
    else:
        assert own.next().ids is not None
    own.score([1, 2, 3], logits=True)  # forgotten
    ending = threading.Thread(target=own.close)
    ending.start()
    try:
        while own.next(0.001):
            pass
    except scout.StateError:
        pass
    ending.join()
    del request


def picture(_model, _answer, i):
    image = scout.Image.from_pixels(bytes([i % 256]) * 3600, 40, 30)
    assert bytes(image.tile(0, tile_side=16))[:3] == bytes([i % 256]) * 3
    if i % 2:  # else forgotten
        closing = threading.Thread(target=image.close)
        closing.start()
        try:
            while True:
                image.tile(0, tile_side=8)
        except scout.StateError:
            pass
        closing.join()


KINDS = (chat, answer, leave, text, failure, engine, picture)


def main():
    threads, loops = int(sys.argv[1]), int(sys.argv[2])
    gc.set_threshold(int(sys.argv[3]) if len(sys.argv) > 3 else 1)
    wrong, grown = [], 0
    with scout.load("scout-tiny") as model:
        with model.generate("Hello!", **FEW) as request:
            expected = request.text()

        def work(first, last):
            try:
                for i in range(first, last):
                    KINDS[i % len(KINDS)](model, expected, i)
            except BaseException as error:  # told at the end
                wrong.append(error)

        def together(first, last):
            workers = [threading.Thread(target=work, args=(first + k, last + k)) for k in range(threads)]
            for worker in workers:
                worker.start()
            for worker in workers:
                worker.join()
            gc.collect()

        early = loops // 2
        together(0, early)
        before = resident()
        together(early, loops)
        grown = resident() - before
    for error in wrong[:3]:
        print("FAILED %r" % error)
    print("Python: %d threads, %d loops, %d bytes grown in the second half, %d failed" % (threads, threads * loops, grown, len(wrong)))
    most = (1 << 30) if "SCOUT_STRESS_SANITIZED" in os.environ else (128 << 20)  # a sanitizer keeps freed memory for a while
    sys.exit(1 if wrong or grown > most else 0)


main()
