"""Ids: sortable by time, random enough that nobody guesses the next one."""

import random
from collections.abc import Callable

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TIME_DIGITS = 10
CHANCE_DIGITS = 8


def quest_ids(source: random.Random) -> Callable[[int], str]:
    """Makes ``q_`` + milliseconds + chance, in base 32. Later ids sort later, also within a millisecond and when the clock goes back."""
    last_ms = 0
    last_chance = 0

    def new_id(now_us: int) -> str:
        nonlocal last_ms, last_chance
        now_ms = now_us // 1_000
        if now_ms > last_ms:
            last_ms, last_chance = now_ms, source.getrandbits(5 * CHANCE_DIGITS - 1)
        else:
            last_chance += 1 + source.getrandbits(16)
        return f"q_{digits(last_ms, TIME_DIGITS)}{digits(last_chance, CHANCE_DIGITS)}"

    return new_id


def digits(number: int, width: int) -> str:
    """The number in base 32, filled up with zeros."""
    text = ""
    for _ in range(width):
        number, digit = divmod(number, 32)
        text = ALPHABET[digit] + text
    return text
