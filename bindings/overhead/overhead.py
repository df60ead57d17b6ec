"""What README.md says, in Python. Usage: overhead.py REQUESTS TOKENS ROUNDS"""
import sys
import time

import scout

PROMPT = "Write an email about history."
total_bytes = 0


def clocks():
    return time.perf_counter(), time.process_time()


def many(model, count, options):
    global total_bytes
    start, tokens, left = clocks(), 0, count
    with model.engine() as engine:
        requests = [engine.submit(PROMPT, **options) for _ in range(count)]
        while left:
            event = engine.next()
            total_bytes += len(event.text)
            tokens += len(event.ids)
            left -= event.last
        for request in requests:
            request.close()
    return [tokens / (end - begin) for begin, end in zip(start, clocks())]


def one(model, count, options):
    global total_bytes
    start, tokens = clocks(), 0
    for _ in range(count):
        with model.generate(PROMPT, **options) as request:
            for event in request:
                total_bytes += len(event.text)
                tokens += len(event.ids)
    return [tokens / (end - begin) for begin, end in zip(start, clocks())]


def event_cost(model, count, options):
    """All events are ready before the clock starts, so that only the calls are timed."""
    global total_bytes
    events = 0
    with model.engine(stepped=True) as engine:
        requests = [engine.submit(PROMPT, **options) for _ in range(count)]
        while engine.step(1):
            pass
        start = time.perf_counter()
        event = engine.next(0)
        while event is not None:
            total_bytes += len(event.text)
            events += 1
            event = engine.next(0)
        cost = (time.perf_counter() - start) * 1e9
        for request in requests:
            request.close()
    return cost / events, events


def main():
    count, tokens, rounds = (int(argument) for argument in sys.argv[1:4])
    options = {"ignore_end": True, "max_tokens": tokens}
    with scout.load("scout-tiny", threads=1) as model:
        costs = [event_cost(model, 64, options) for _ in range(rounds)]
        print("event %.1f" % min(costs)[0])
        for name, work, size in (("many", many, count), ("one", one, (count + 4) // 5)):
            rates = [work(model, size, options) for _ in range(rounds)]
            print("%s %.1f\n%s_processor %.1f" % (name, max(rate[0] for rate in rates), name, max(rate[1] for rate in rates)))
        print("events %d\nbytes %d" % (costs[-1][1], total_bytes))


main()
