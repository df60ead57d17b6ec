"""A question about a picture. Usage: picture.py [MODEL [QUESTION [FILE]]]; without a file, about one that is drawn here."""
import sys

import scout

SIDE, HALF, REACH = 96, 48, 18
WHITE, RED, BLUE = bytes([244, 244, 244]), bytes([220, 30, 30]), bytes([40, 70, 225])


def pixel(x, y):
    """Of a red circle and a blue square on white."""
    across, down = x % HALF - HALF // 2, y - HALF
    if x < HALF:
        return RED if across**2 + down**2 <= REACH**2 else WHITE
    return BLUE if max(abs(across), abs(down)) <= REACH else WHITE


def drawn():
    # A NumPy array of shape (height, width, channels) does as well.
    return scout.Image.from_pixels(b"".join(pixel(x, y) for y in range(SIDE) for x in range(SIDE)), SIDE, SIDE)


name, question, file = (sys.argv[1:] + ["scout-tiny", "What is in the picture?", None][len(sys.argv) - 1:])[:3]
try:
    # The tower that sees is loaded when it is asked for. A file is a PNG, JPEG or WebP.
    with scout.load(name, vision=True) as model, scout.Image.from_file(file) if file else drawn() as image, model.chat() as chat:
        chat.user(image, question)
        with model.default_engine() as engine, engine.submit(chat) as answer:
            for event in answer:
                print(event.text, end="", flush=True)
            print()
except scout.ScoutError as error:
    sys.exit("picture: %s" % error)
