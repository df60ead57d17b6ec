"""A conversation with memory: each turn finds the pages of the turns before it and computes only what is new.
Usage: chat.py [MODEL [QUESTION...]]; without questions, one per line of stdin."""
import sys

import scout

with scout.load(sys.argv[1] if len(sys.argv) > 1 else "scout-tiny") as model, model.engine() as engine, model.chat() as chat:
    for question in sys.argv[2:] or map(str.strip, sys.stdin):
        print(">", question)
        chat.user(question)  # text can never become control tokens
        with engine.submit(chat) as request:
            for event in request:
                print(event.text, end="", flush=True)
            print("\n(%d tokens of the prompt, %d of them remembered)" % (event.prompt_tokens, event.cached_tokens))
            chat.add_answer(request)  # exactly the tokens that were generated
