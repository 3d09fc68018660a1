"""Chats like the keeper of a lighthouse: a Markov chain over his log book, one word at a time."""
import random
import re
import time
from collections import defaultdict
from pathlib import Path

import gradio as gr

WORDS_A_SECOND = 25
LONGEST = 60

words = (Path(__file__).parent / "logbook.txt").read_text(encoding="utf-8").split()
# What came after each pair of words, as often as it did.
follows: dict[tuple[str, str], list[str]] = defaultdict(list)
for first, second, third in zip(words, words[1:], words[2:]):
    follows[first, second].append(third)
openings = [pair for before, *pair in zip(words, words[1:], words[2:]) if before.endswith(".")]


def plain(word: str) -> str:
    return re.sub(r"\W", "", word).lower()


def opening(message: str, chance: random.Random) -> list[str]:
    """The first two words: of a sentence that speaks of what was asked, where there is one."""
    asked = {plain(word) for word in message.split() if len(plain(word)) > 3}
    for _ in range(200):
        pair = chance.choice(openings)
        if asked & {plain(word) for word in sentence(pair, random.Random(str(pair)))}:
            return pair
    return chance.choice(openings)


def sentence(pair: list[str], chance: random.Random) -> list[str]:
    said = list(pair)
    while not said[-1].endswith(".") and len(said) < LONGEST:
        said.append(chance.choice(follows[said[-2], said[-1]]))
    return said


def reply(message: str, history: list):
    """Streams two sentences; the same question at the same point of a talk has the same answer."""
    chance = random.Random(f"{len(history)} {message}")
    first = opening(message, chance)
    said = sentence(first, random.Random(str(first))) + sentence(chance.choice(openings), chance)
    for count in range(1, len(said) + 1):
        yield " ".join(said[:count])
        time.sleep(1 / WORDS_A_SECOND)


demo = gr.ChatInterface(
    reply,
    title="The lighthouse",
    description="Ask the keeper about the sea, the lamp, ships or the weather.",
    examples=["Was there fog last night?", "Who came ashore?", "How is the lamp kept?"],
    cache_examples=False,
    api_name="chat",
)

if __name__ == "__main__":
    demo.launch()
