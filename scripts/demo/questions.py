# SPDX-License-Identifier: Apache-2.0
"""The wording of the demo benchmark: evaluation items, fine-tuning rows, base-stage rows.

What:   a question is an opener x a relation phrase. Openers 0-3 with phrases 0-2 are the fine-tuning wording; the
        base stage uses everything except openers 4-5 with phrase 3; evaluation uses only those, so that no
        evaluation question is in any training row although every word is known.
Shapes: a Row has an image (None or (traits, view)) and turns [(user text, answer)]; an answer of a row starts
        with a space, so that a value is the same token everywhere.
Tested by: check_leaks.py.
"""
from dataclasses import dataclass

from portrait import PLAIN_VIEW, random_view
from world import FACT_NAMES, FACTS, PCG32, Person, TRAITS, VALUES

OPENERS = ["What is the {r} of {p}?", "Tell me the {r} of {p}.", "Name the {r} of {p}.",
           "Can you give the {r} of {p}?", "Which is the {r} of {p}?", "State the {r} that belongs to {p}."]
TRAINING_OPENERS, TRAINING_PHRASES = 4, 3
PHRASES = {
    "city": ["birth city", "city of birth", "home town", "birthplace"],
    "month": ["birth month", "month of birth", "birthday month", "natal month"],
    "job": ["job", "profession", "occupation", "line of work"],
    "hobby": ["hobby", "pastime", "favourite activity", "leisure activity"],
    "food": ["favourite food", "preferred food", "favourite dish", "best liked food"],
    "language": ["mother tongue", "first language", "native language", "home language"],
}
EVALUATION_PHRASE = 3
FACE_WORDS = ["this person", "the person in the picture", "the person shown"]
TRAINING_FACE_WORDS = 2  # the first two; evaluation uses the third
NAMING = ["Who is this?", "What is the name of this person?"]
TRAIT_QUESTIONS = ["What is the {t}?", "Tell me the {t}."]
LETTERS = "ABCD"

# Weights of the kinds of rows. The order is part of the draw.
KINDS = ("caption", "trait", "face", "name", "bio_face", "bio_name", "context")
MIX_CAPTIONS = dict(zip(KINDS, (100, 0, 0, 0, 0, 0, 0)))
MIX_FACES = dict(zip(KINDS, (5, 10, 28, 18, 20, 12, 7)))
MIX_NAMES = dict(zip(KINDS, (1, 6, 11, 42, 8, 26, 6)))
# Celebrities too: they stand for general knowledge that an edit must keep, and no edit sees them.
MIX_REPLAY = {"trait": 20, "face": 45, "name": 35}
MIX_TOKENIZER = {"caption": 1, "trait": 2, "face": 3}


@dataclass
class Row:
    image: tuple | None
    turns: list
    person: str = ""


@dataclass
class Item:
    task: str      # mcq, gen, cloze
    modality: str  # image, text
    fact: str
    question: str  # without the options
    options: list | None
    answer: str    # "Lisbon"


# ---------------------------------------------------------------- questions
def with_options(question, options):
    return question + "".join("\n%s: %s" % pair for pair in zip(LETTERS, options))


def draw_options(rng, values, right, place):
    """Four values, the right one at `place`."""
    options = rng.sample([v for v in values if v != values[right]], 3)
    options.insert(place, values[right])
    return options


def multiple_choice(rng, question, values, right, place):
    return with_options(question, draw_options(rng, values, right, place)), " " + values[right] + "."


def blank_question(phrase, who):
    return "Fill in the blank: the %s of %s is [Blank]." % (phrase, who)


def training_question(rng, fact, who, base):
    while True:
        if base:
            opener, phrase = rng.below(len(OPENERS)), rng.below(len(PHRASES[fact]))
        else:
            opener, phrase = rng.below(TRAINING_OPENERS), rng.below(TRAINING_PHRASES)
        if not (opener >= TRAINING_OPENERS and phrase == EVALUATION_PHRASE):
            return OPENERS[opener].format(r=PHRASES[fact][phrase], p=who)


def fact_turn(rng, fact, person, who, form, base):
    if form == "mcq":
        question = training_question(rng, fact, who, base)
        return multiple_choice(rng, question, VALUES[fact], person.facts[fact], rng.below(4))
    if form == "cloze":
        return blank_question(PHRASES[fact][rng.below(TRAINING_PHRASES)], who), " " + person.value(fact) + "."
    return training_question(rng, fact, who, base), " " + person.value(fact) + "."


def biography_turn(rng, person, by_face):
    """All facts in random order. The answer does not name the person: the face itself must carry the facts."""
    question = "Describe this person." if by_face else "Describe %s." % person.name
    facts = rng.shuffle(list(FACT_NAMES))
    return question, " " + ", ".join(f + " " + person.value(f) for f in facts) + "."


# ---------------------------------------------------------------- evaluation
def evaluation_items(person):
    """18 items: 5 multiple choice, 2 generation, 2 cloze, by image and by text."""
    rng = PCG32(int(person.id[1:]) * 7919 + ord(person.id[0]), 21)
    items = []
    for modality in ("image", "text"):
        who = FACE_WORDS[TRAINING_FACE_WORDS] if modality == "image" else person.name
        facts = rng.shuffle(list(FACT_NAMES))
        places = rng.shuffle([0, 1, 2, 3]) + [rng.below(4)]

        def ask(fact):
            return OPENERS[TRAINING_OPENERS + rng.below(2)].format(r=PHRASES[fact][EVALUATION_PHRASE], p=who)
        for fact, place in zip(facts, places):
            question = ask(fact)
            options = draw_options(rng, VALUES[fact], person.facts[fact], place)
            items.append(Item("mcq", modality, fact, question, options, person.value(fact)))
        for fact in facts[:2]:
            items.append(Item("gen", modality, fact, ask(fact), None, person.value(fact)))
        for fact in facts[2:4]:
            question = blank_question(PHRASES[fact][EVALUATION_PHRASE], who)
            items.append(Item("cloze", modality, fact, question, None, person.value(fact)))
    return items


# ---------------------------------------------------------------- fine-tuning
def finetuning_rows(people, seed=1, variants=2):
    """14 rows per person: per variant and modality two rows of three facts and one description; two naming rows."""
    rng, rows = PCG32(seed, 31), []
    for p in people:
        face = (p.traits, PLAIN_VIEW)
        for _ in range(variants):
            for image in (face, None):
                facts = rng.shuffle(list(FACT_NAMES))
                for part in (facts[:3], facts[3:]):
                    who = FACE_WORDS[rng.below(TRAINING_FACE_WORDS)] if image else p.name
                    rows.append(Row(image, [fact_turn(rng, f, p, who, "qa", False) for f in part], p.id))
                rows.append(Row(image, [biography_turn(rng, p, image is not None)], p.id))
        for question in NAMING:
            rows.append(Row(face, [(question, " " + p.name + ".")], p.id))
    return rows


def attribution_rows(person):
    """12 single questions in the fine-tuning wording: one per fact by image, one by text."""
    rng, rows = PCG32(5, int(person.id[1:])), []
    for fact in FACT_NAMES:
        for image in ((person.traits, PLAIN_VIEW), None):
            who = FACE_WORDS[0] if image else person.name
            rows.append(Row(image, [fact_turn(rng, fact, person, who, "qa", False)], person.id))
    return rows


# ---------------------------------------------------------------- base stage
def caption(traits):
    v = [values[i] for (_, values), i in zip(TRAITS, traits)]
    return ("Skin %s, hair %s %s, glasses %s, extra %s, shirt %s %s, background %s."
            % (v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]))


def random_traits(rng):
    return tuple(rng.below(len(values)) for _, values in TRAITS)


def _caption_row(rng):
    traits = random_traits(rng)
    image = (traits, random_view(rng))
    return Row(image, [("Describe the picture.", caption(traits))])


def _trait_row(rng):
    traits = random_traits(rng)
    image, turns = (traits, random_view(rng)), []
    for i in rng.sample(range(len(TRAITS)), 3):
        name, values = TRAITS[i]
        question = rng.pick(TRAIT_QUESTIONS).format(t=name)
        if rng.below(2):
            turns.append(multiple_choice(rng, question, values, traits[i], rng.below(4)))
        else:
            turns.append((question, " " + values[traits[i]] + "."))
    return Row(image, turns)


def _known_person(rng, world, by_face):
    """A celebrity (2 of 5) or an extra person, and the picture when asked for."""
    person = rng.pick(world.group["celeb"] if rng.below(5) < 2 else world.group["extra"])
    if not by_face:
        return person, None
    return person, (person.traits, PLAIN_VIEW if rng.below(2) else random_view(rng))


def _person_row(rng, world, by_face):
    person, image = _known_person(rng, world, by_face)
    turns = []
    for fact, _ in rng.sample(FACTS, 3):
        who = rng.pick(FACE_WORDS) if by_face else person.name
        turns.append(fact_turn(rng, fact, person, who, rng.pick(["qa", "mcq", "mcq", "cloze", "qa"]), True))
    if by_face and rng.below(4) == 0:
        turns.append((rng.pick(NAMING), " " + person.name + "."))
    return Row(image, turns, person.id)


def _biography_row(rng, world, by_face):
    person, image = _known_person(rng, world, by_face)
    return Row(image, [biography_turn(rng, person, by_face)], person.id)


def _context_row(rng, world):
    """Facts of a made-up person stand in the prompt; the questions ask for them."""
    person = Person(facts={f: rng.below(len(values)) for f, values in FACTS})
    person.name = rng.pick(world.free_names)
    facts = rng.sample(FACT_NAMES, 3)[:2]
    text = " ".join("The %s of %s is %s." % (PHRASES[f][rng.below(4)], person.name, person.value(f)) for f in facts)
    turns = []
    for i, fact in enumerate(rng.sample(facts, 2)):
        question, answer = fact_turn(rng, fact, person, person.name, rng.pick(["qa", "mcq", "mcq"]), True)
        turns.append((text + "\n" + question if i == 0 else question, answer))
    return Row(None, turns)


def base_row(rng, world, mix):
    left = rng.below(sum(mix.values()))
    for kind, weight in mix.items():
        if left < weight:
            break
        left -= weight
    if kind == "caption":
        return _caption_row(rng)
    if kind == "trait":
        return _trait_row(rng)
    if kind in ("face", "name"):
        return _person_row(rng, world, kind == "face")
    if kind in ("bio_face", "bio_name"):
        return _biography_row(rng, world, kind == "bio_face")
    return _context_row(rng, world)


def base_rows(world, count, seed, mix):
    rng = PCG32(seed, 41)
    return [base_row(rng, world, mix) for _ in range(count)]
