"""Streaming that is cancelled from another thread after a while: the last event says so. Usage: stream.py [MODEL [SECONDS]]"""
import sys
import threading

import scout

with scout.load(sys.argv[1] if len(sys.argv) > 1 else "scout-tiny") as model:
    with model.generate("Tell me a story about a fox.", ignore_end=True) as request:
        threading.Timer(float(sys.argv[2]) if len(sys.argv) > 2 else 0.5, request.cancel).start()
        for event in request:
            print(event.text, end="", flush=True)
        print("\n(%s after %d tokens)" % ("cancelled" if event.stop == scout.STOP_CANCELLED else "ended", event.generated_tokens))
