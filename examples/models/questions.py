"""Questions about a Scene and their answers, in the style of data.py: {marked} spans weigh more in the loss.

Every question has one answer that the picture decides. Directions are told within a row or a column of the scene's grid: what is
left of a thing is its nearest neighbour in the same row; "Nothing" is the answer only where no thing at all lies further left.
"""
from pictures import NAMES, SHAPES, held_pair
from words import NUMBERS

DIRECTIONS = {"left of": (0, -1), "right of": (0, 1), "above": (-1, 0), "below": (1, 0)}


def plural(kind):
    return "crosses" if kind == "cross" else kind + "s"


def article(phrase):
    return ("an " if phrase.lstrip("{")[0] in "aeiou" else "a ") + phrase


def capital(text):
    return text[0].upper() + text[1:]


def listed(parts):
    return parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]


def neighbour(scene, thing, direction):
    """(thing or None, whether the question has a clear answer)"""
    dy, dx = DIRECTIONS[direction]
    line = [t for t in scene.things if (t.row == thing.row if dx else t.column == thing.column)]
    ahead = [t for t in line if (t.column - thing.column) * dx + (t.row - thing.row) * dy > 0]
    if ahead:
        return min(ahead, key=lambda t: abs(t.column - thing.column) + abs(t.row - thing.row)), True
    return None, all((t.column - thing.column) * dx + (t.row - thing.row) * dy <= 0 for t in scene.things)


def place(scene, thing):
    """"at the top left": by thirds of the picture. None on grids of four, which have no words for it."""
    words = lambda n, names: {1: names[1:2], 2: names[::2], 3: names}.get(n)
    down, across = words(scene.rows, ("top", "middle", "bottom")), words(scene.columns, ("left", "middle", "right"))
    if not down or not across:
        return None
    a, b = down[thing.row], across[thing.column]
    return "in the middle" if a == b else f"at the {a} {b}"


def unique(scene, things=None):
    things = scene.things if things is None else things
    return [t for t in things if sum(o.name == t.name for o in scene.things) == 1]


def missing(r, scene):
    """A shape that is not in the picture, mostly one that resembles one that is."""
    there = {t.name for t in scene.things}
    while True:
        colour, kind = r.choice(NAMES), r.choice(SHAPES)
        if scene.things and r.random() < 0.6:
            t = r.choice(scene.things)
            colour, kind = (t.colour, kind) if r.random() < 0.5 else (colour, t.kind)
        if f"{colour} {kind}" not in there and colour != scene.ground and not held_pair(colour, kind):
            return f"{colour} {kind}"


def scene_question(r, s):
    q = r.choice(("What is in the picture?", "What do you see?", "Describe the picture.", "What is in this picture?", "Describe this picture."))
    return q, capital(listed([article("{" + t.name + "}") for t in s.things])).replace("A {", "{A ").replace("An {", "{An ") + "."


def relation_question(r, s):
    options = []
    for t in unique(s):
        for d in DIRECTIONS:
            n, clear = neighbour(s, t, d)
            if clear:
                options += [(t, d, n)] * (4 if n else 1)
    if not options:
        return None
    t, d, n = r.choice(options)
    q = r.choice((f"What is {d} the {t.name}?", f"What is {d} the {t.name}?", f"What do you see {d} the {t.name}?", f"Which thing is {d} the {t.name}?"))
    return q, f"{{The {n.name}}} is {d} the {t.name}." if n else f"{{Nothing}} is {d} the {t.name}."


def colour_question(r, s):
    kinds = {k for k in SHAPES if sum(t.kind == k for t in s.things) == 1}
    options = [t for t in s.things if t.kind in kinds]
    if not options:
        return None
    t = r.choice(options)
    return r.choice((f"What colour is the {t.kind}?", f"What is the colour of the {t.kind}?")), f"The {t.kind} is {{{t.colour}}}."


def shape_question(r, s):
    options = [t for t in s.things if sum(o.colour == t.colour for o in s.things) == 1]
    if not options:
        return None
    t = r.choice(options)
    return r.choice((f"What is {t.colour}?", f"Which thing is {t.colour}?")), f"{{The {t.kind}}} is {t.colour}."


def counted(n, one, many, where=""):
    if n == 0:
        return f"There are {{no}} {many}{where}."
    return f"There is {{one}} {one}{where}." if n == 1 else f"There are {{{NUMBERS[n]}}} {many}{where}."


def count_question(r, s):
    shapes = [t for t in s.things if not t.digit]
    x = r.random()
    if x < 0.45:
        kind = r.choice(shapes).kind if shapes and r.random() < 0.8 else r.choice(SHAPES)
        return f"How many {plural(kind)} are there?", counted(sum(t.kind == kind for t in s.things), kind, plural(kind))
    if x < 0.75:
        colour = r.choice(shapes).colour if shapes and r.random() < 0.8 else r.choice(NAMES)
        return (f"How many {colour} shapes are there?",
                counted(sum(t.colour == colour for t in shapes), f"{colour} shape", f"{colour} shapes"))
    if x < 0.9 or len(shapes) == len(s.things):
        return r.choice(("How many shapes are there?", "How many shapes do you see?")), counted(len(shapes), "shape", "shapes")
    return "How many numbers are there?", counted(len(s.things) - len(shapes), "number", "numbers")


def exist_question(r, s):
    if s.things and r.random() < 0.5:
        name = r.choice(s.things).name
        return f"Is there {article(name)}?", f"{{Yes}}, there is {article(name)}."
    name = missing(r, s)
    return f"Is there {article(name)}?", f"{{No}}, there is no {name}."


def where_question(r, s):
    options = [(t, p) for t in unique(s) if (p := place(s, t))]
    if not options:
        return None
    t, p = r.choice(options)
    if r.random() < 0.5:
        return r.choice((f"Where is the {t.name}?", f"Where do you see the {t.name}?")), f"The {t.name} is {{{p}}}."
    if r.random() < 0.85:
        return f"What is {p}?", f"{{The {t.name}}} is {p}."
    empty = [(y, x) for y in range(s.rows) for x in range(s.columns) if not s.at(y, x)]
    if not empty or place(s, s.things[0]) is None:
        return None
    y, x = r.choice(empty)
    p = place(s, type(t)("", "", y, x, 0, 0, 0, ()))
    return f"What is {p}?", f"{{Nothing}} is {p}."


def absent_question(r, s):
    """About a thing that is not there."""
    name, d = missing(r, s), r.choice(list(DIRECTIONS))
    q = r.choice((f"What is {d} the {name}?", f"What is {d} the {name}?", f"Where is the {name}?"))
    return q, f"{{There}} is no {name}."


def number_question(r, s):
    digits = [t for t in s.things if t.digit]
    if len(digits) == 1:
        t = digits[0]
        return r.choice(((r.choice(("Which number is in the picture?", "Which number do you see?")), f"The number is {{{t.kind}}}."),
                         ("What colour is the number?", f"The number is {{{t.colour}}}.")))
    if len(digits) == 2:
        a, b = (int(t.kind) for t in digits)
        if r.random() < 0.6:
            return r.choice(("Add the numbers.", "What is the sum of the numbers?")), f"{{{a} + {b}}} = {{{a + b}}}."
        return "Which numbers do you see?", f"The numbers are {{{a}}} and {{{b}}}."
    return None


def ground_question(r, s):
    return r.choice(("What colour is the background?", "What is the colour of the background?")), f"The background is {{{s.ground}}}."


def motion_question(r, scenes, thing):
    """About a clip, in which `thing` moves. The answer names both ends, so that each is looked up in its frame."""
    ends = [place(s, t) for s in (scenes[0], scenes[-1]) for t in s.things if t.name == thing.name]
    start, end = (p.removeprefix("at ").removeprefix("in ") for p in ends)
    answer = f"{{The {thing.name}}} moved from {{{start}}} to {{{end}}}."
    if r.random() < 0.6:
        return r.choice(("What moved?", "What moved where?", "What happened?", "Which thing moved?")), answer
    return r.choice((f"Where did the {thing.name} go?", f"How did the {thing.name} move?")), answer


QUESTIONS = {"scene": (scene_question, 12), "relation": (relation_question, 32), "colour": (colour_question, 9), "shape": (shape_question, 8),
             "count": (count_question, 18), "exist": (exist_question, 9), "where": (where_question, 16), "absent": (absent_question, 5),
             "number": (number_question, 10), "ground": (ground_question, 4)}


def ask(r, scene, kind=None):
    """(kind, question, answer); a kind that the picture cannot be asked gives way to another, or to None if it was demanded."""
    while True:
        k = kind or r.choices(list(QUESTIONS), [w for _, w in QUESTIONS.values()])[0]
        pair = QUESTIONS[k][0](r, scene)
        if pair:
            return (k, *pair)
        if kind:
            return None


def blind(r):
    """A question about a picture where there is none."""
    name, d = f"{r.choice(NAMES)} {r.choice(SHAPES)}", r.choice(list(DIRECTIONS))
    return r.choice((f"What is {d} the {name}?", "What is in the picture?", "Describe the picture.", f"Where is the {name}?", f"Is there {article(name)}?",
                     f"How many {plural(r.choice(SHAPES))} are there?", "What colour is the background?", "What do you see?")), "{I do not see} a picture."
