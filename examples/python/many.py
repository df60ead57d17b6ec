"""Many requests at once, with asyncio: they share steps, and no event loop is held up. Usage: many.py [MODEL [QUESTION...]]"""
import asyncio
import sys

import scout

QUESTIONS = ["Tell me a story about a fox.", "What is 7 plus 5?", "What is 20 minus 8?", "Hello!"]


async def ask(engine, question):
    text = ""
    async for event in engine.submit(question, max_tokens=200):
        text += event.text
    print("%s\n  %s\n  (%d tokens, waited %.0f ms, answered in %.0f ms)" %
          (question, text, event.generated_tokens, event.queue_ms, event.prefill_ms + event.decode_ms))


async def main(path="scout-tiny", *questions):
    with await scout.load_async(path) as model, model.engine() as engine:
        await asyncio.gather(*[ask(engine, question) for question in questions or QUESTIONS])


asyncio.run(main(*sys.argv[1:]))
