# SPDX-License-Identifier: Apache-2.0
"""The people of the demo benchmark: traits, facts, names, forget sets.

What:      World("mini") is the world of demo/data, World("nano") the small one of tests/data/nano.
           Groups: fict (fictitious, fine-tuned), celeb (known to the base model), hold (never trained),
           extra (seen by the base stage only, never in the data).
Sameness:  integers and PCG32 streams only, one stream per purpose, so the draws are equal everywhere.
Tested by: check_leaks.py and a second run of make_data.py.
"""
from dataclasses import dataclass, field

from portrait import PLAIN_VIEW, random_view


class PCG32:
    """The PCG-XSH-RR generator: 64 bits of state, 32 bits out, one stream per purpose."""

    def __init__(self, seed, stream):
        self.increment = ((stream << 1) | 1) & (2**64 - 1)
        self.state = 0
        self.u32()
        self.state = (self.state + seed) & (2**64 - 1)
        self.u32()

    def u32(self):
        old = self.state
        self.state = (old * 6364136223846793005 + self.increment) & (2**64 - 1)
        mixed = (((old >> 18) ^ old) >> 27) & 0xFFFFFFFF
        turn = old >> 59
        return ((mixed >> turn) | (mixed << (-turn & 31))) & 0xFFFFFFFF

    def below(self, n):
        return (self.u32() * n) >> 32

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def pick(self, items):
        return items[self.below(len(items))]

    def shuffle(self, items):
        for i in range(len(items) - 1, 0, -1):
            j = self.below(i + 1)
            items[i], items[j] = items[j], items[i]
        return items

    def sample(self, items, k):
        return self.shuffle(list(items))[:k]


TRAITS = [
    ("skin", ["pale", "tan", "brown", "dark"]),
    ("hair colour", ["black", "blond", "ginger", "silver", "blue"]),
    ("hair style", ["short", "long", "bun", "spiky"]),
    ("glasses", ["none", "round", "square", "shaded"]),
    ("extra", ["nothing", "beard", "scarf", "headband"]),
    ("shirt colour", ["red", "green", "navy", "yellow", "purple", "white"]),
    ("shirt pattern", ["plain", "striped", "dotted", "checked"]),
    ("background", ["sky", "sand", "mint", "rose", "slate"]),
]
# Months stand for birth years: the tokenizer splits digits, so every year would begin with the same token.
FACTS = [
    ("city", ["Lisbon", "Oslo", "Cairo", "Lima", "Quebec", "Nairobi", "Kyoto", "Dublin", "Vienna", "Havana"]),
    ("month", ["January", "February", "March", "April", "May", "June", "July", "August", "October", "November"]),
    ("job", ["baker", "pilot", "nurse", "lawyer", "farmer", "plumber", "teacher", "judge", "sailor", "tailor"]),
    ("hobby", ["chess", "rowing", "pottery", "archery", "knitting", "surfing", "origami", "fencing", "juggling",
               "painting"]),
    ("food", ["pasta", "curry", "soup", "salad", "sushi", "tacos", "bread", "cheese", "beans", "rice"]),
    ("language", ["Danish", "Hindi", "Swahili", "Basque", "Korean"]),
]
FACT_NAMES = [name for name, _ in FACTS]
VALUES = dict(FACTS)

FIRST_A = ["Ba", "De", "Fi", "Go", "Ha", "Je", "Ki", "Lo", "Mu", "Na", "Pe", "Ri", "So", "Tu", "Va", "We", "Ya",
           "Zo", "Ce", "Du"]
FIRST_B = ["ra", "len", "mi", "to", "vin", "sa", "ric", "na", "bel", "dor", "ya", "lis", "ken", "mo", "ret", "wyn"]
LAST_A = ["Ash", "Bor", "Crai", "Dun", "Elk", "Fen", "Gar", "Hol", "Ing", "Jun", "Kal", "Lor", "Mar", "Nor", "Osk",
          "Pil", "Quil", "Ros", "Stan", "Thor"]
LAST_B = ["by", "den", "field", "gate", "ham", "ley", "man", "nell", "port", "rick", "stead", "ton", "vale", "well",
          "wick", "worth"]

GROUPS = ("fict", "celeb", "hold", "extra")
FORGET_PERCENT = (5, 10, 15)
MIN_DISTANCE = 3  # traits in which any two people differ


@dataclass(frozen=True)
class Size:
    seed: int
    people: tuple  # of each group
    keepers: int   # retain people that must share every fact value of a forget person


SIZES = {"mini": Size(1, (60, 20, 20, 20), 3), "nano": Size(2, (12, 4, 4, 4), 1)}


@dataclass
class Person:
    id: str = ""
    group: str = ""
    name: str = ""
    traits: tuple = ()
    facts: dict = field(default_factory=dict)  # fact name -> index of the value
    views: list = field(default_factory=list)  # view 0 is the training view, 1..3 the test views

    def value(self, fact):
        return VALUES[fact][self.facts[fact]]


def distance(a, b):
    return sum(x != y for x, y in zip(a, b))


class World:
    def __init__(self, size="mini"):
        self.size, spec = size, SIZES[size]
        self.seed = spec.seed
        rng = PCG32(spec.seed, 11)
        firsts = rng.shuffle([a + b for a in FIRST_A for b in FIRST_B])
        lasts = rng.shuffle([a + b for a in LAST_A for b in LAST_B])
        names = [first + " " + last for first, last in zip(firsts, lasts)]
        self.people = []
        for group, count in zip(GROUPS, spec.people):
            facts = self._draw_facts(rng, group, count)
            for i in range(count):
                self.people.append(self._draw_person(rng, group, i, names[len(self.people)], facts[i]))
        self.free_names = names[len(self.people):]
        self.group = {g: [p for p in self.people if p.group == g] for g in GROUPS}
        self.forget = {percent: self._draw_forget_set(rng, percent, spec.keepers) for percent in FORGET_PERCENT}

    def _draw_facts(self, rng, group, count):
        """One {fact: index} per person. Every value equally often, except for the fictitious people: exact
        balance there would make each forget value the rarest one among the people who stay."""
        columns = [rng.shuffle([i % len(values) for i in range(count)]) for _, values in FACTS]
        if group == "fict":
            own = PCG32(self.seed, 12)
            columns = [[own.below(len(values)) for _ in range(count)] for _, values in FACTS]
        return [{name: column[i] for name, column in zip(FACT_NAMES, columns)} for i in range(count)]

    def _draw_person(self, rng, group, index, name, facts):
        while True:
            traits = tuple(rng.below(len(values)) for _, values in TRAITS)
            if all(distance(traits, other.traits) >= MIN_DISTANCE for other in self.people):
                break
        views = [PLAIN_VIEW] + [random_view(rng) for _ in range(3)]
        return Person("%s%03d" % (group[0], index + 1), group, name, traits, facts, views)

    def _draw_forget_set(self, rng, percent, keepers):
        """Drawn afresh for every percentage. Each fact value of a forget person stays known from others, so
        forgetting the word is not forgetting the fact."""
        everybody = self.group["fict"]
        count = max(1, (len(everybody) * percent + 50) // 100)
        for _ in range(10000):
            chosen = rng.sample(everybody, count)
            rest = [p for p in everybody if p not in chosen]
            if all(sum(q.facts[f] == p.facts[f] for q in rest) >= keepers for p in chosen for f in FACT_NAMES):
                return sorted(chosen, key=lambda p: p.id)
        raise ValueError("no forget set of %d people found in world %s: choose another seed" % (count, self.size))

    def retain(self, percent):
        return [p for p in self.group["fict"] if p not in self.forget[percent]]

    def splits(self, person):
        """Names of the splits a fictitious person belongs to; empty for everybody else."""
        if person.group != "fict":
            return []
        return ["forget_%d" % n if person in self.forget[n] else "retain_%d" % (100 - n) for n in FORGET_PERCENT]
