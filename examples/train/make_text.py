"""Little stories from a seeded grammar: the language the example model learns.

The stories ask for what a language model has to do: agreement over a distance, names and pronouns recalled
later, counting and small sums, lists copied and reversed, things followed from place to place, nested
clauses.

    python examples/train/make_text.py COUNT SEED      prints one JSON line a story
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

WOMEN = ["Mara", "Ines", "Ada", "Runa", "Lotte", "Vera", "Nell", "Kaja"]
MEN = ["Tom", "Olav", "Piet", "Bruno", "Emil", "Jory", "Karl", "Sven"]
TRADES = [
    "miller",
    "baker",
    "smith",
    "weaver",
    "sailor",
    "carpenter",
    "doctor",
    "teacher",
    "hunter",
    "painter",
]
TOWNS = ["Alden", "Brook", "Corran", "Dunmere", "Eastwick", "Farrow", "Glenby", "Holm"]
PLACES = ["barn", "mill", "church", "cellar", "garden", "harbour", "kitchen", "tower", "shed", "market"]
THINGS = ["boat", "lamp", "rope", "map", "bell", "coat", "drum", "key", "apple", "book", "cup", "hat"]
ANIMALS = ["dog", "cat", "goat", "horse", "hen", "fox", "duck", "mouse"]
COLOURS = ["red", "blue", "green", "white", "black", "grey", "yellow"]
TRAITS = ["old", "young", "tall", "kind", "quiet", "proud", "clever", "tired"]
WEATHER = ["rain", "snow", "wind", "fog", "storm"]
FEEDS = ["feeds", "fears", "follows", "loves", "watches", "knows"]
DAYS = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
NUMBERS = [
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
]  # fmt: skip


@dataclass
class Person:
    name: str
    trade: str
    subject: str
    object: str
    owner: str
    town: str
    trait: str


@dataclass
class World:
    """What has been said so far, so that later sentences stay true."""

    random: Random
    people: list[Person]
    day: int
    place_of: dict[str, str] = field(default_factory=dict)
    counts: dict[tuple[str, str], int] = field(default_factory=dict)

    def pick(self, words: list):
        return self.random.choice(words)

    def two_people(self) -> list[Person]:
        return self.random.sample(self.people, 2)


def pluralise(noun: str, count: int) -> str:
    if count == 1:
        return noun
    return {"mouse": "mice", "fox": "foxes"}.get(noun, f"{noun}s")


def join_list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def with_article(word: str) -> str:
    return f"an {word}" if word[0] in "aeiou" else f"a {word}"


def be(count: int) -> str:
    return "is" if count == 1 else "are"


def make_people(random: Random) -> list[Person]:
    women, men = random.sample(WOMEN, 2), random.sample(MEN, 2)
    trades, towns = random.sample(TRADES, 3), random.sample(TOWNS, 3)
    third = random.choice([(women[1], True), (men[1], False)])
    chosen = random.sample([(women[0], True), (men[0], False), third], 3)
    return [
        Person(
            name,
            trade,
            *(("she", "her", "her") if woman else ("he", "him", "his")),
            town,
            random.choice(TRAITS),
        )
        for (name, woman), trade, town in zip(chosen, trades, towns)
    ]


def introduce(person: Person, world: World) -> str:
    forms = [
        f"{person.name} is {with_article(person.trade)} in {person.town}.",
        f"{person.name} the {person.trade} lives in {person.town}.",
        f"In {person.town} there lives {with_article(person.trait)} {person.trade} "
        f"whose name is {person.name}.",
    ]
    return world.pick(forms)


def tell_agreement(world: World) -> str:
    count = world.random.choice([1, 1, 2, 3, 4])
    thing, place, other = world.pick(THINGS), world.pick(PLACES), world.pick(THINGS)
    far = pluralise(other, world.random.choice([1, 3]))
    start = "The" if count == 1 else f"The {NUMBERS[count]}"
    return (
        f"{start} {pluralise(thing, count)} near the {far} in the {place} {be(count)} {world.pick(COLOURS)}."
    )


def tell_sum(world: World) -> str:
    giver, taker = world.two_people()
    thing = world.pick([thing for thing in THINGS + ANIMALS if (taker.name, thing) not in world.counts])
    first, second = world.random.randint(1, 6), world.random.randint(1, 6)
    total = first + second
    world.counts[taker.name, thing] = total
    counted = ", ".join(NUMBERS[1 : total + 1])
    end = world.pick([f"now has {NUMBERS[total]} {pluralise(thing, total)}.", f"counts them: {counted}."])
    return (
        f"{taker.name} had {NUMBERS[first]} {pluralise(thing, first)} and {giver.name} gave {taker.object} "
        f"{NUMBERS[second]}, so {taker.subject} {end}"
    )


def tell_loss(world: World) -> str:
    known = [(key, count) for key, count in world.counts.items() if count > 1]
    if not known:
        return tell_sum(world)
    (name, thing), count = world.pick(known)
    lost = world.random.randint(1, count - 1)
    world.counts[name, thing] = count - lost
    left = count - lost
    return (
        f"Then {name} lost {NUMBERS[lost]} of the {NUMBERS[count]} {pluralise(thing, count)}: "
        f"{NUMBERS[left]} {be(left)} left."
    )


def tell_move(world: World) -> str:
    person = world.pick(world.people)
    thing = world.pick(list(world.place_of) or THINGS) if world.random.random() < 0.6 else world.pick(THINGS)
    place = world.pick([place for place in PLACES if place != world.place_of.get(thing)])
    before = world.place_of.get(thing)
    world.place_of[thing] = place
    start = f"from the {before} " if before else ""
    return f"{person.name} took the {thing} {start}to the {place}."


def ask_place(world: World) -> str:
    if not world.place_of:
        return tell_move(world)
    thing = world.pick(list(world.place_of))
    return f"Where is the {thing}? The {thing} is in the {world.place_of[thing]}."


def ask_person(world: World) -> str:
    person = world.pick(world.people)
    forms = [
        f"Who lives in {person.town}? It is {person.name} the {person.trade}.",
        f"What is {person.name}? {person.subject.capitalize()} is {with_article(person.trade)}.",
        f"Where does the {person.trade} live? {person.name} lives in {person.town}.",
    ]
    return world.pick(forms)


def tell_list(world: World) -> str:
    person = world.pick(world.people)
    things = world.random.sample(THINGS, world.random.randint(2, 4))
    packed = join_list([with_article(thing) for thing in things])
    if world.random.random() < 0.5:
        back = join_list([f"the {thing}" for thing in reversed(things)])
        return f"{person.name} packed {packed}, and at home {person.subject} took out {back}."
    same = join_list([f"the {thing}" for thing in things])
    return f"{person.name} packed {packed}, and nobody else saw {same}."


def tell_nested(world: World) -> str:
    first, second = world.two_people()
    animal, verb, other = world.pick(ANIMALS), world.pick(FEEDS), world.pick(FEEDS)
    forms = [
        f"The {animal} that the {first.trade} {verb} {other} {second.name}.",
        f"The {first.trade} who {verb} the {second.trade} says that the {animal} is {world.pick(TRAITS)}.",
        f"{first.name}, who lives in {first.town}, {verb} the {animal} that {other} {second.name}, "
        f"who lives in {second.town}.",
        f"The {pluralise(animal, 2)} that {first.name} {verb} are {world.pick(COLOURS)}, "
        f"but the {animal} that {second.name} {verb} is {world.pick(COLOURS)}.",
    ]
    return world.pick(forms)


def tell_day(world: World) -> str:
    today = DAYS[world.day % 7]
    world.day += 1
    tomorrow = DAYS[world.day % 7]
    weather, later = world.pick(WEATHER), world.pick(WEATHER)
    return f"On {today} there was {weather}, and on {tomorrow}, the day after {today}, there was {later}."


def tell_speech(world: World) -> str:
    speaker, listener = world.two_people()
    thing, colour = world.pick(THINGS), world.pick(COLOURS)
    forms = [
        f'"Is your {thing} {colour}?" asked {speaker.name}. '
        f'"Yes," said {listener.name}, "my {thing} is {colour}."',
        f"{speaker.name} told {listener.name} that {speaker.owner} {thing} was {colour}, and {listener.name} "
        f"said to {speaker.object} that {listener.owner} {thing} was {colour} too.",
    ]
    return world.pick(forms)


SCENES: list[Callable[[World], str]] = [
    tell_agreement,
    tell_sum,
    tell_sum,
    tell_loss,
    tell_move,
    tell_move,
    ask_place,
    ask_person,
    ask_person,
    tell_list,
    tell_nested,
    tell_day,
    tell_speech,
]


def make_story(random: Random) -> str:
    people = make_people(random)
    world = World(random, people, random.randrange(7))
    sentences = [introduce(person, world) for person in people]
    sentences += [random.choice(SCENES)(world) for _ in range(random.randint(2, 5))]
    return " ".join(sentences)


def make_stories(count: int, seed: int) -> Iterator[str]:
    random = Random(seed)
    for _ in range(count):
        yield make_story(random)


if __name__ == "__main__":
    for story in make_stories(int(sys.argv[1]), int(sys.argv[2])):
        print(json.dumps({"text": story}))
