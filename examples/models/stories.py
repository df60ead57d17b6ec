"""A grammar of short stories. The subject that was asked for acts in every plot."""
from words import *

WEATHER = ["It was a sunny day.", "It was a cold morning.", "The wind was strong that day.", "It was raining.", "The sky was blue.", "Snow lay on the ground.",
           "The moon was bright.", "It was a warm evening.", "The birds were singing."]
WHERE = ["in a small house", "near a big forest", "by the sea", "on a green hill", "in an old town", "next to a river", "in a quiet village", "at the edge of a lake",
         "in a tall tower", "under an old tree"]
MOODS = W("happy kind brave curious clever shy lonely proud hungry sleepy friendly gentle")
GOALS = [("see the sea", "saw the sea"), ("find a friend", "found a friend"), ("learn to swim", "learned to swim"), ("bake a cake", "baked a cake"),
         ("build a house", "built a house"), ("climb the hill", "climbed the hill"), ("sing a song", "sang a song"), ("fly a kite", "flew a kite"),
         ("paint a picture", "painted a picture"), ("plant a tree", "planted a tree"), ("cross the river", "crossed the river"), ("catch a star", "caught a star")]
LOST = W("key ring hat ball book bell coin lamp map scarf shoe boat kite flute button crown drum basket")
HELPERS = ["an old owl", "a friendly bear", "a wise turtle", "a little mouse", "a kind woman", "a tall man", "a grey cat", "a quick rabbit", "a young girl", "a small boy"]
MORALS = ["A friend is worth more than gold.", "It is good to help others.", "Never give up.", "Small steps lead far.", "Sharing makes everyone happy.", "It pays to be patient.",
          "Being kind is never wrong.", "Home is the best place of all."]
SPOTS = ["under a stone", "behind a tree", "in the tall grass", "at the bottom of a well", "in an empty nest", "under the bridge", "in a dark cave", "near the old mill"]
DANGERS = [("a big storm came", "the storm was over"), ("the river rose", "the water went down"), ("a fire started", "the fire was out"), ("the bridge broke", "the bridge stood again"),
           ("a thick fog came", "the fog was gone"), ("a hungry wolf came", "the wolf ran away")]
GIFTS = W("cake lamp blanket song flower basket necklace book kite pie hat scarf picture")


def cap(s):
    return s[0].upper() + s[1:]


def a(noun):
    return ("an " if noun[0] in "aeiou" else "a ") + noun


def subject(r, pseudo):
    """(as asked, first mention, later mention, pronoun, possessive)"""
    x = r.random()
    if x < 0.20:
        name = r.choice(NAMES)
        kind, he, his = r.choice((("girl", "she", "her"), ("boy", "he", "his")))
        asked = r.choice((f"a {kind} named {name}", f"a {kind} called {name}"))
        return asked, asked, name, he, his
    if x < 0.27:
        name = r.choice(NAMES)
        return name, name, name, "they", "their"
    if x < 0.62:
        n = r.choice(ANIMALS)
    elif x < 0.78:
        n = r.choice(CREATURES)
    elif x < 0.90:
        n = r.choice(THINGS)
    elif x < 0.95:
        n = pseudo(r)
    else:
        n = r.choice(COMMON)
    if r.random() < 0.15:
        name = r.choice(PETS)
        asked = f"{a(n)} named {name}"
        return asked, asked, name, "it", "its"
    if r.random() < 0.18:
        adj = r.choice(MOODS + ["little", "big", "old", "small", "white", "red", "young"])
        return a(f"{adj} {n}"), a(f"{adj} {n}"), f"the {n}", "it", "its"
    return a(n), a(n), f"the {n}", "it", "its"


def story(r, pseudo):
    """(subject as asked, text)."""
    asked, first, S, he, his = subject(r, pseudo)
    C, He = cap(S), cap(he)
    was = "were" if he == "they" else "was"
    extra = None
    if r.random() < 0.25:
        extra = r.choice(LOST)
    mood, (goal, did), where = r.choice(MOODS), r.choice(GOALS), r.choice(WHERE)
    opening = r.choice((f"Once upon a time there was {first}.", f"Once upon a time there was {first} who lived {where}.", f"Once there was {first} who lived {where}.",
                        f"There once was {first}.", f"One day {first} woke up early.", f"Long ago {first} lived {where}."))
    second = r.choice((f"{C} was very {mood}.", r.choice(WEATHER), f"Everyone liked {S}.", f"{C} was {mood} and {r.choice(MOODS)}."))
    helper, spot, friend = r.choice(HELPERS), r.choice(SPOTS), r.choice(("friends", "good friends", "the best of friends"))
    plot = r.randrange(6)
    thing = extra or r.choice(LOST)
    the_helper = "the " + helper.split(" ", 1)[1]
    if plot == 0:
        body = [f"One day {S} lost {his} {thing}.", r.choice((f"{C} looked everywhere.", f"{He} looked in the house and in the garden.")),
                f"Then {S} met {helper}.", f'"I lost my {thing}," said {S}. "Can you help me?"', r.choice((f'"Of course," said {the_helper}.', f'"Let us look together," said {the_helper}.')),
                f"They found the {thing} {spot}.", f"{C} was very happy and said thank you."]
    elif plot == 1:
        body = [f"{C} wanted to {goal}.", f"But {S} did not know how.", f"So {S} asked {helper}.", f'"It is not hard," said {the_helper}. "I will show you."',
                r.choice((f"They tried all day.", f"They tried again and again.")), f"In the end {S} {did}.", f"{C} was so proud that {he} danced."]
    elif plot == 2:
        d1, d2 = r.choice(DANGERS)
        body = [f"One night {d1}.", r.choice((f"Everyone was afraid.", f"{C} was afraid.")), f"But {S} had an idea.", f"{C} took {a(thing)} and called {helper}.",
                f"Together they worked until {d2}.", f"Everyone thanked {S}."]
    elif plot == 3:
        gift = r.choice(GIFTS)
        body = [f"{C} had no friends and felt lonely.", f"One day {S} saw {helper} near {r.choice(('the road', 'the river', 'the house', 'the old tree'))}.",
                f'"Hello," said {S}. "Would you like to play?"', f'"Yes, please," said {the_helper}.', f"{C} gave {the_helper} {a(gift)}.", f"From that day on they were {friend}."]
    elif plot == 4:
        body = [f"One day {S} found {a(thing)} {spot}.", f"It was {r.choice(('old and dusty', 'small and shiny', 'made of gold', 'warm and bright'))}.",
                f'"Whose {thing} is this?" asked {S}.', f"{C} asked everyone in the village.", f'"It is mine," said {helper}. "Thank you for finding it!"',
                f"{cap(the_helper)} gave {S} {a(r.choice(GIFTS))}.", f"{C} went home with a smile."]
    else:
        body = [f"{C} dreamed of a long journey.", f"So one morning {S} packed {a(r.choice(('bag', 'basket', 'small bag')))} and {a(thing)} and left home.",
                f"{C} walked over hills and through forests.", f"On the way {he} met {helper}.", f'"Where are you going?" asked {the_helper}.',
                f'"I want to {goal}," said {S}.', f"They went on together, and at last {S} {did}.", f"Then {S} came home and slept well."]
    if len(body) > 6 and r.random() < 0.25:
        second = None
    end = r.choice((r.choice(MORALS), f"And {S} lived happily ever after.", f"And {S} never forgot that day.", ""))
    text = " ".join(x for x in [opening, second, *body, end] if x)
    if extra and plot in (0, 2, 4, 5):
        asked = f"{asked} and {a(extra)}"
    return asked, text
