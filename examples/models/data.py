"""The training text: chats and plain text from grammars of ours, with a store of planted facts per row.

Assistant text may mark a span in braces: it weighs 4 in the loss instead of 1 (recalled values, results of sums, the word
that decides between answering and not knowing). User and system text weighs 0. Held out from training, for evaluation only:
(name, value) pairs, (operation, operands) triples, and topics of questions outside what the model knows; never whole names.
"""
import random
import zlib

from stories import story
from words import *

STRONG = 4.0


def held(kind, *what):
    """One in 20 facts, one in 10 sums and topics never occurs in training."""
    return zlib.crc32("|".join(map(str, (kind, *what))).encode()) % (20 if kind == "fact" else 10) == 0


FALLBACK = "Sorry, I do not know that. I am a very small model. I can tell short stories, add small numbers and remember what you tell me."
BIG_SUM = "Sorry, I can only add and subtract numbers up to 99."


INVENTED = 0.08  # share of invented words among the names of things; a resumed run sees more of them


def pseudo(r):
    return "".join(r.choice(SYLLABLES) for _ in range(r.choice((2, 2, 3))))


def article(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


# ---------------------------------------------------------------- facts

class Fact:
    """value is None for a fact that was never told."""

    def __init__(self, kind, name, value, state, ask, answer, unknown, ack=None):
        self.kind, self.name, self.value, self.state, self.ask = kind, name, value, state, ask
        self.answer, self.unknown, self.ack = answer, unknown, ack


def draw_name(r, near=None):
    """'blue box', sometimes 'box' or an invented word; near: share a word with this name."""
    if near and r.random() < 0.55 and " " in near:
        a, b = near.split(" ", 1)
        return f"{a} {r.choice(THINGS)}" if r.random() < 0.5 else f"{r.choice(ADJECTIVES)} {b}"
    x = r.random()
    if x < INVENTED:
        return f"{pseudo(r)} {r.choice(THINGS)}"
    if x < INVENTED + 0.08:
        return r.choice(THINGS)
    return f"{r.choice(ADJECTIVES)} {r.choice(THINGS)}"


def draw_value(r, name, options, heldout=False):
    while True:
        v = options()
        if held("fact", name, v) == heldout:
            return v


def draw_code(r):
    n = 4 if r.random() < 0.85 else r.choice((2, 3, 5))
    return "".join(r.choice("0123456789") for _ in range(n))


def marked(name):
    """An invented word is copied piece by piece: it weighs as much as a value."""
    return "{" + name + "}" if " " in name and name.split()[0] not in ADJECTIVES else name


def code_fact(name, v, attr="code"):
    return Fact("code", name, v, [f"The {attr} of the {name} is {v}."],
                [f"What is the {attr} of the {name}?", f"Tell me the {attr} of the {name}.", f"Do you remember the {attr} of the {name}?",
                 f"What was the {attr} of the {name}?", f"Please give me the {attr} of the {name}."],
                f"{{The}} {attr} of the {marked(name)} is {{{v}}}.", f"{{I}} do not know the {attr} of the {marked(name)}.", f"the {attr} of the {name}")


def draw_fact(r, near=None, heldout=False, kind=None):
    kind = kind or r.choices(("code", "place", "favourite", "pet", "self"), (60, 13, 10, 9, 8))[0]
    if kind == "code":
        name = draw_name(r, near)
        attr = "code" if heldout or r.random() < 0.75 else r.choice(("number", "password", "price", "weight"))
        return code_fact(name, draw_value(r, name, (lambda: "".join(r.choice("0123456789") for _ in range(4))) if heldout else (lambda: draw_code(r)), heldout), attr)
    if kind == "place":
        name = draw_name(r, near)
        v = draw_value(r, name, lambda: r.choice(PLACES), heldout)
        return Fact(kind, name, v, [f"The {name} is {v}."], [f"Where is the {name}?", f"Where can I find the {name}?", f"Do you remember where the {name} is?"],
                    f"{{The}} {marked(name)} is {{{v}}}.", f"{{I}} do not know where the {marked(name)} is.", f"where the {name} is")
    if kind == "favourite":
        who, what = r.choice(NAMES), r.choice(("food", "colour", "game", "animal"))
        v = draw_value(r, who + what, lambda: r.choice({"food": FOODS, "colour": COLOURS, "game": GAMES, "animal": ANIMALS}[what]), heldout)
        return Fact(kind, f"{who} {what}", v, [f"{who}'s favourite {what} is {v}.", f"The favourite {what} of {who} is {v}."],
                    [f"What is {who}'s favourite {what}?", f"What is the favourite {what} of {who}?", f"Do you remember {who}'s favourite {what}?"],
                    f"{{{who}}}'s favourite {what} is {{{v}}}.", f"{{I}} do not know {who}'s favourite {what}.", f"{who}'s favourite {what}")
    if kind == "pet":
        who, pet = r.choice(NAMES), r.choice(ANIMALS)
        v = draw_value(r, who + pet, lambda: r.choice(PETS), heldout)
        return Fact(kind, f"{who} {pet}", v, [f"The name of {who}'s {pet} is {v}.", f"{who} has {article(pet)}. Its name is {v}."],
                    [f"What is the name of {who}'s {pet}?", f"Do you remember the name of {who}'s {pet}?"],
                    f"{{The}} name of {who}'s {pet} is {{{v}}}.", f"{{I}} do not know the name of {who}'s {pet}.", f"the name of {who}'s {pet}")
    what = r.choice(("name", "name", "city", "age"))
    if what == "name":
        v = r.choice(NAMES)
        return Fact("self", "my name", v, [f"My name is {v}.", f"Hello, my name is {v}.", f"I am called {v}."],
                    ["What is my name?", "Do you remember my name?", "Who am I?", "What am I called?"],
                    f"{{Your}} name is {{{v}}}.", "{I} do not know your name.", "your name")
    if what == "city":
        v = r.choice(CITIES)
        return Fact("self", "my city", v, [f"I live in {v}."], ["Where do I live?", "Which city do I live in?"], f"{{You}} live in {{{v}}}.",
                    "{I} do not know where you live.", "where you live")
    v = str(r.randint(5, 99))
    return Fact("self", "my age", v, [f"I am {v} years old."], ["How old am I?", "What is my age?"], f"{{You}} are {{{v}}} years old.",
                "{I} do not know how old you are.", "how old you are")


def fresh_fact(r, store, **how):
    while True:
        f = draw_fact(r, **how)
        if f.name not in store:
            return f


def lower_first(s):
    return s if s.split()[0].split("'")[0] in NAMES or s.startswith("I ") else s[0].lower() + s[1:]


def strip_marks(s):
    return s.replace("{", "").replace("}", "")


def plant(r, store, count=1, heldout=False, kind=None):
    """A user message that tells facts, and the reply. The reply's form follows from the message's form."""
    near = r.choice([f.name for f in store.values() if f.kind == "code"] or [None])
    facts = []
    for _ in range(count):
        f = fresh_fact(r, store, near=near, heldout=heldout, kind=kind)
        store[f.name] = f
        facts.append(f)
        near = f.name if f.kind == "code" else near
    if count > 1:
        lead = r.choice(("Please remember these things. ", "Remember this. ", "Here is what you need to know. ", "I will tell you some facts. "))
        return lead + " ".join(r.choice(f.state) for f in facts), "I will remember that."
    f = facts[0]
    s = r.choice(f.state)
    if f.kind == "self":
        return s, {"my name": f"Nice to meet you, {{{f.value}}}!"}.get(f.name, "Thank you, I will remember that.")
    x = r.random()
    if x < 0.4:
        return r.choice(("Please remember: ", "Remember this: ", "Please remember that ", "Remember that ")) + lower_first(s), "I will remember that."
    if x < 0.6:
        return r.choice(("Note that ", "By the way, ", "You should know that ")) + lower_first(s), f"Thank you, I will remember {f.ack}."
    if x < 0.85:
        return s, f"Okay. {f.answer}"
    return f"{s} {f.ask[0]}", f.answer


def ask(r, store, unknown=0.13, old=False):
    """A question about the store, or about something never told."""
    if not store or r.random() < unknown:
        near = r.choice([f.name for f in store.values() if f.kind in ("code", "place")] or [None])
        f = fresh_fact(r, store, near=near)
        return r.choice(f.ask), f.unknown
    facts = list(store.values())
    f = facts[r.randrange(max(1, len(facts) // 3))] if old and r.random() < 0.5 else r.choice(facts)
    return r.choice(f.ask), f.answer


# ---------------------------------------------------------------- numbers

def draw_sum(r, heldout=False, op=None):
    while True:
        kind = op or ("+" if r.random() < 0.62 else "-")
        a, b = r.randint(0, 99), r.randint(0, 99)
        if r.random() < 0.15 and not heldout:
            a, b = r.randint(0, 12), r.randint(0, 12)
        if kind == "-" and a < b:
            a, b = b, a
        if held("sum", kind, a, b) == heldout:
            return a, kind, b


def sum_turn(r, heldout=False, op=None):
    a, op, b = draw_sum(r, heldout, op)
    result = a + b if op == "+" else a - b
    words = ("plus",) if op == "+" else ("minus",)
    forms = [f"What is {a} {op} {b}?", f"What is {a} {r.choice(words)} {b}?", f"How much is {a} {op} {b}?", f"{a} {op} {b}", f"{a} {op} {b} = ?",
             f"Calculate {a} {op} {b}.", f"How much is {a} {r.choice(words)} {b}?", f"Can you tell me what {a} {op} {b} is?", f"{a}{op}{b}=", f"What is {a}{op}{b}?", f"{a}{op}{b}",
             f"Please add {a} and {b}." if op == "+" else f"Take {b} from {a}."]
    q = forms[0] if r.random() < 0.4 else r.choice(forms)
    return q, f"{a} {op} {b} = {{{result}}}."


def number_turn(r):
    x = r.random()
    if x < 0.25:
        a = r.randint(0, 20)
        b = a + r.randint(2, 9)
        return f"Count from {a} to {b}.", "{" + ", ".join(map(str, range(a, b + 1))) + "}."
    if x < 0.6:
        a, b = r.sample(range(100), 2)
        bigger = r.random() < 0.5
        w = max(a, b) if bigger else min(a, b)
        l = a + b - w
        word = "bigger" if bigger else "smaller"
        return f"Which is {word}, {a} or {b}?", f"{{{w}}} is {word} than {l}."
    if x < 0.85:
        a, b = r.randint(1, 10), r.randint(1, 10)
        return r.choice((f"What is {a} times {b}?", f"How much is {a} times {b}?")), f"{a} times {b} is {{{a * b}}}."
    a, b = r.randint(100, 9999), r.randint(100, 9999)
    return r.choice((f"What is {a} + {b}?", f"What is {a} - {b}?", f"What is {a} plus {b}?", f"What is {a} times {b}?", f"How much is {a} + {r.randint(1, 99)}?",
                     f"What is {a} divided by {b}?")), BIG_SUM


# ---------------------------------------------------------------- knowledge, manners, outside

def knowledge(r):
    k = r.randrange(14)
    pick = lambda d: r.choice(list(d.items()))
    if k == 0:
        a, v = pick(SOUNDS)
        return r.choice((f"What sound does {article(a)} make?", f"What does {article(a)} say?")), f"{article(a).capitalize()} says {v}."
    if k == 1:
        a, v = pick(LEGS)
        return f"How many legs does {article(a)} have?", f"{article(a).capitalize()} has {v} legs."
    if k == 2:
        a, v = pick(HOMES)
        return f"Where does {article(a)} live?", f"{article(a).capitalize()} lives {v}."
    if k == 3:
        a, v = pick(EATS)
        return f"What does {article(a)} eat?", f"{article(a).capitalize()} eats {v}."
    if k == 4:
        a, v = pick(OPPOSITES)
        return r.choice((f"What is the opposite of {a}?", f"Tell me the opposite of {a}.")), f"The opposite of {a} is {v}."
    if k == 5:
        a, v = pick(COLOUR_OF)
        return r.choice((f"What colour is {a}?", f"What is the colour of {a}?", f"What color is {a}?")), f"{a[0].upper() + a[1:]} is {v}."
    if k == 6:
        a, v = pick(CAPITALS)
        return r.choice((f"What is the capital of {a}?", f"Which city is the capital of {a}?")), f"The capital of {a} is {v}."
    if k == 7:
        seq = r.choice((DAYS, MONTHS))
        i = r.randrange(len(seq))
        if r.random() < 0.5:
            return f"What comes after {seq[i]}?", f"{seq[(i + 1) % len(seq)]} comes after {seq[i]}."
        return f"What comes before {seq[i]}?", f"{seq[i - 1]} comes before {seq[i]}."
    if k == 8:
        a, v = pick(MADE_OF)
        return f"What is {a} made of?", f"{a[0].upper() + a[1:]} is made of {v}."
    if k == 9:
        a, v = pick(USED_FOR)
        return r.choice((f"What is {a} for?", f"What do we use {a} for?")), f"{a[0].upper() + a[1:]} is for {v}."
    if k == 10:
        a = r.choice(ANIMALS) if r.random() < 0.5 else r.choice(THINGS[:60])
        return f"Is {article(a)} an animal?", (f"Yes, {article(a)} is an animal." if a in ANIMALS else f"No, {article(a)} is not an animal.")
    if k == 11:
        i = r.randrange(12)
        return f"What number comes after {NUMBERS[i]}?", f"The number after {NUMBERS[i]} is {NUMBERS[i + 1]}."
    if k == 12:
        a = r.choice((r.choice(COMMON), pseudo(r), r.choice(ANIMALS), f"the {draw_name(r)}", f"{r.choice(COMMON)} {r.choice(COMMON)}"))
        return r.choice((f"Say {a}.", f"Repeat after me: {a}.", f"Please repeat: {a}.")), f"{{{a[0].upper() + a[1:]}}}."
    return r.choice(SEASONS)


MANNERS = [
    ("Hello|Hi|Hello!|Hi!|Hey|Good morning|Good evening|Hello there|Hi there!|Good morning!|hello|hi|Hey there|Good afternoon.|Greetings!", "Hello! How can I help you?"),
    ("Who are you?|What are you?|What is your name?|Who am I talking to?|Introduce yourself.|Tell me about yourself.|What is this?|Are you a robot?|Are you a human?|Are you a person?|who are you|What model are you?|Are you ChatGPT?|Are you Llama?",
     "I am scout-tiny, a very small demonstration model that comes with libscout."),
    ("What can you do?|How can you help me?|What do you know?|What can I ask you?|Help|help|Help me.|What are you good at?|Can you help me?|What are your skills?|How do I use you?",
     "I can tell short stories, add small numbers, answer simple questions and remember what you tell me."),
    ("How are you?|How are you today?|How do you do?|Are you well?|How is it going?", "I am fine, thank you. How can I help you?"),
    ("Thank you|Thanks|Thank you!|Thanks a lot!|Thank you very much.|Great, thanks.|thanks|Well done!|Good job.|Very good.|Nice!|Great!", "You are welcome!"),
    ("Goodbye|Bye|Bye!|Good night|See you later.|See you!|That is all.|bye|Good night!", "Goodbye! It was nice to talk to you."),
    ("What is libscout?|Tell me about libscout.|What does libscout do?|Explain libscout.", "libscout is a library that runs Llama 4 models. I am its smallest example."),
    ("Are you Llama 4?|What is your architecture?|How big are you?|How many parameters do you have?|Are you a language model?|How were you made?|Who made you?|Who trained you?",
     "I have the architecture of Llama 4, but only six million parameters. I was trained for libscout."),
    ("Are you smart?|Are you clever?|Can you think?|Do you have feelings?|Are you alive?|Do you like me?|Are you happy?", "I am only a very small model, but I do my best."),
    ("Okay|OK|ok|I see.|Good.|Fine.|Yes.|No.|All right.|yes|no|Sure.|Hmm.|Cool.", "Okay. What would you like to do next?"),
]


def manners(r):
    q, a = r.choice(MANNERS[:4]) if r.random() < 0.5 else r.choice(MANNERS)
    return r.choice(q.split("|")), a


def topic(r, heldout=False):
    while True:
        x = r.random()
        t = r.choice(TOPICS) if x < 0.6 else (r.choice(COMMON) if x < 0.85 else pseudo(r))
        if held("topic", t) == heldout:
            return t


def outside(r, heldout=False):
    t, u, v = topic(r, heldout), topic(r, heldout), r.choice(VERBS)
    c, d = r.choice(COMMON), r.choice(COMMON)
    forms = [
        f"What is {t}?", f"Explain {t}.", f"Explain {t} to me.", f"How does {t} work?", f"Why is {t} important?", f"Who was {t}?", f"Who is {t}?", f"Tell me about {t}.",
        f"What do you think about {t}?", f"What is the difference between {t} and {u}?", f"How do I {v} {t}?", f"Can you {v} {article(c)}?", f"Can you {v} {t} for me?",
        f"Write a poem about {t}.", f"Write a song about {t}.", f"Write a program in {t}.", f"Write code that can {v} {article(c)}.", f"Write an essay about {t}.", f"Write an email about {t}.",
        f"Translate {c} {d} into {u}.", f"Translate '{c} {d}' to French.", f"Who invented {t}?", f"Who discovered {t}?", f"Who wrote {t}?", f"When was {t} born?", f"When did {t} die?",
        f"When was {t} invented?", f"What is the population of {t}?", f"What is the capital of {t}?", f"Where is {t}?", f"How far is {t} from {u}?", f"How old is {t}?", f"How many people live in {t}?",
        f"Give me a recipe for {r.choice(FOODS)}.", f"How do I cook {r.choice(FOODS)}?", f"What is the best {t}?", f"Summarize {t}.", f"{v.capitalize()} {t}.", f"{v.capitalize()} the {c} {d}.",
        f"What happened in {r.randint(1000, 2030)}?", f"Who won the {t} in {r.randint(1900, 2030)}?", f"What is the weather in {t}?", f"What is the weather today?", f"What time is it?",
        f"What day is it today?", f"What is the news about {t}?", f"Is {t} good for you?", f"Is {t} better than {u}?", f"Does {t} {v}?", f"Do you know {t}?", f"Do you like {t}?",
        f"Why do people {v}?", f"Why does {t} {v}?", f"Should I {v} {t}?", f"Which {c} has the most {d}?", f"What is the meaning of {t}?", f"What is the meaning of life?", f"Define {t}.",
        f"What does {t} mean?", f"How do you spell {t}?", f"What is the {c} of {t}?", f"How many {c} are in {t}?", f"What causes {t}?", f"How can I learn {t}?", f"Give me advice about {t}.",
        f"Give me five ideas for {t}.", f"List ten {t}.", f"What is the square root of {r.randint(2, 9999)}?", f"Convert {r.randint(2, 500)} {c} to {d}.", f"Tell me a joke.", f"Tell me a joke about {t}.",
        f"Do you speak {t}?", f"Can you speak French?", f"Who is the president of {t}?", f"How tall is {t}?", f"How much does {article(c)} cost?", f"What is your favourite {c}?", f"Where were you born?",
        f"What are {t}?", f"Compare {t} with {u}.", f"What should I {v} tomorrow?", f"How long does it take to {v} {article(c)}?", f"I want to {v} {t}.", f"I need help with {t}.", f"Let us talk about {t}.",
        f"What does {article(r.choice([a for a in ANIMALS if a not in EATS]))} eat?", f"What sound does {article(r.choice([a for a in ANIMALS if a not in SOUNDS]))} make?",
    ]
    x = r.random()
    if x < 0.80 or heldout:
        q = r.choice(forms)
    elif x < 0.86:
        q = " ".join(r.choice(COMMON) for _ in range(r.randint(2, 9)))
        q = (q[0].upper() + q[1:] + r.choice(".?!")) if r.random() < 0.6 else q
    elif x < 0.90:
        q = " ".join(pseudo(r) for _ in range(r.randint(1, 6)))
    elif x < 0.93:
        q = "".join(r.choice("abcdefghijklmnopqrstuvwxyz0123456789 .,;:!?-_()[]=+*/#@&%$") for _ in range(r.randint(4, 40))).strip() or "?"
    elif x < 0.96:
        q = r.choice(("def f(x): return x", "print('hello')", "for (int i = 0; i < 10; i++) {}", "SELECT * FROM table;", "<html></html>", "x = [1, 2, 3]", "git commit -m", "sudo apt install",
                      "Wie geht es dir?", "Bonjour, comment allez-vous?", "Hola, como estas?", "Wer bist du?", "Où est la gare?", "Привет, как дела?", "你好，你是谁？", "こんにちは", "Was ist das?",
                      "\U0001F600", "???", "...", "!", "http://example.com", "lol", "asdf", "qwerty", "test", "Testing 1 2 3", "The quick brown fox jumps over the lazy dog."))
    else:
        q = f"{r.choice(('Please', 'Could you', 'Can you', 'I would like you to'))} {v} {r.choice(('my', 'the', 'this', 'a'))} {c} {r.choice(('for', 'with', 'about', 'and'))} {t}."
    if r.random() < 0.15:
        q = q.lower() if r.random() < 0.6 else q.rstrip("?.")
    return q, FALLBACK


def story_turn(r):
    subject, text = story(r, pseudo)
    q = r.choice((f"Tell me a story about {subject}.", f"Tell me a short story about {subject}.", f"Write a story about {subject}.", f"Write a short story about {subject}.",
                  f"Can you tell me a story about {subject}?", f"Please tell me a story about {subject}.", f"I want to hear a story about {subject}.",
                  f"Tell me a story about {subject}.", f"Tell a story about {subject}.", f"Story about {subject}"))
    if r.random() < 0.12:
        q = r.choice(("Tell me a story.", "Can you tell me a story?", "Tell me a short story.", "Write a story.", "Another story, please.", "I want to hear a story."))
    return q, text


SYSTEM = ["You are a helpful assistant.", "You are a friendly assistant.", "Answer in short sentences.", "You are scout-tiny.", "You are a helpful assistant. Be short.",
          "You are a small model. Be kind and clear.", "Answer the user's questions.", "You tell stories and answer questions.", "Be polite.", "You are an expert assistant.",
          "You are a helpful, honest and harmless assistant.", "Please answer in English."]


# ---------------------------------------------------------------- rows

def turn(r, store, mix, old):
    if r.random() > mix:  # dense recall
        if len(store) < 2 or r.random() < 0.28:
            return plant(r, store, r.choice((1, 1, 2, 3)))
        return ask(r, store, 0.10)
    kind = r.choices(("plant", "ask", "sum", "story", "know", "outside", "manners", "number", "read"), (15, 27, 17, 7, 13, 11, 5, 5, 3))[0]
    if kind == "plant":
        return plant(r, store, r.choice((1, 1, 1, 2, 3)))
    if kind == "ask":
        return ask(r, store, 0.13, old)
    if kind == "read":  # a long message, perhaps with facts inside: cheap distance
        parts = [story(r, pseudo)[1]]
        if r.random() < 0.7:
            f = fresh_fact(r, store, kind="code")
            store[f.name] = f
            sentences = parts[0].split(". ")
            sentences.insert(r.randint(1, len(sentences) - 1), f.state[0].rstrip("."))
            parts = [". ".join(sentences)]
        return r.choice(("Please read this. ", "Here is a text. ", "Read this text: ")) + parts[0], "Thank you, I have read it."
    return {"sum": sum_turn, "story": story_turn, "know": knowledge, "outside": outside, "manners": manners, "number": number_turn}[kind](r)


def plain_text(r):
    """Text without a chat: [marked text]."""
    x = r.random()
    if x < 0.62:
        s = story(r, pseudo)[1]
        return s if r.random() < 0.8 else s + "\n\n" + story(r, pseudo)[1]
    if x < 0.85:
        store, out = {}, []
        for _ in range(r.randint(4, 14)):
            if len(store) < 2 or r.random() < 0.4:
                f = fresh_fact(r, store, kind=r.choices(("code", "place", "favourite", "pet"), (70, 10, 10, 10))[0])
                store[f.name] = f
                out.append(r.choice(f.state))
            elif r.random() < 0.6:
                out.append(r.choice(list(store.values())).answer)
            else:
                out.append(knowledge(r)[1])
        return " ".join(out)
    if x < 0.93:
        return "\n".join(sum_turn(r)[1].rstrip(".") for _ in range(r.randint(3, 10)))
    return " ".join(knowledge(r)[1] for _ in range(r.randint(3, 10)))


class Rows:
    def __init__(self, tok, seed):
        self.tok, self.r = tok, random.Random(seed)

    def message(self, ids, weights, role, text, learn):
        tok = self.tok
        ids += tok.header[role]
        weights += [0.0] * 3
        if learn:
            i, w = tok.encode_weighted("\n\n" + text, 1.0, STRONG)
            n = len(tok.generate) - 3
            w[:n] = [0.0] * n
        else:
            i = tok.encode("\n\n" + text)
            w = [0.0] * len(i)
        ids += i
        weights += w
        ids.append(tok.eot)
        weights.append(1.0 if learn else 0.0)

    def chat(self, length, mix):
        r, store, ids, weights = self.r, {}, [self.tok.bos], [0.0]
        if r.random() < 0.2:
            s = r.choice(SYSTEM) if r.random() < 0.7 else ""
            while r.random() < 0.35:
                f = fresh_fact(r, store, kind=r.choice(("code", "place", "favourite", "pet")))
                store[f.name] = f
                s = (s + " " + r.choice(f.state)).strip()
            if s:
                self.message(ids, weights, "system", s, False)
        drill = mix > 0.3 and r.random() < 0.11
        while len(ids) < length:
            q, a = sum_turn(r) if drill else turn(r, store, mix, len(ids) > length // 2)
            self.message(ids, weights, "user", q, False)
            self.message(ids, weights, "assistant", a, True)
        return ids, weights

    def plain(self, length):
        ids, weights, tok = [], [], self.tok
        while len(ids) < length:
            i, w = tok.encode_weighted(plain_text(self.r), 1.0, STRONG)
            ids += [tok.bos] + i + [tok.end]
            weights += [0.0] + w + [1.0]
        return ids, weights

    def batch(self, count, length, mix, progress):
        import torch
        ids, weights = [], []
        for _ in range(count):
            i, w = self.plain(length) if self.r.random() < 0.13 * mix else self.chat(length, mix)
            ids.append(i[:length])
            weights.append(w[:length])
        return torch.tensor(ids), torch.tensor(weights)


def sample_texts(seed, count):
    """Texts for learning the vocabulary."""
    r = random.Random(seed + 99)
    for _ in range(count):
        store = {}
        for _ in range(4):
            q, a = turn(r, store, 1.0, False)
            yield q
            yield strip_marks(a)
        yield strip_marks(plain_text(r))
