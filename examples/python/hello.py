"""The shortest program. Usage: hello.py [MODEL]"""
import sys

import scout

with scout.load(sys.argv[1] if len(sys.argv) > 1 else "scout-tiny") as model:
    for event in model.generate("Tell me a story about a fox."):
        print(event.text, end="", flush=True)
    print()
