"""What goes wrong when a name or a number is typed."""

from __future__ import annotations

import random

# The letters beside each on a keyboard, for a to z.
_BESIDE = dict(zip("abcdefghijklmnopqrstuvwxyz", "svxdwfghujklnbopaetyicqzux", strict=True))
_SOUNDS = (("ph", "f"), ("c", "k"), ("ie", "y"), ("ee", "ea"), ("z", "s"), ("ou", "u"), ("tt", "t"), ("ll", "l"))


def one_letter(chance: random.Random, text: str) -> str:
    """One letter left out, doubled, exchanged with its neighbour, hit beside, or spelled as it sounds."""
    if len(text) < 4:
        return text
    at = chance.randrange(1, len(text) - 1)
    how = chance.randrange(5)
    if how == 0:
        return text[:at] + text[at + 1 :]
    if how == 1:
        return text[:at] + text[at] + text[at:]
    if how == 2:
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    if how == 3:
        return text[:at] + _BESIDE.get(text[at].lower(), text[at]) + text[at + 1 :]
    spelled = [text.replace(one, other, 1) for one, other in _SOUNDS if one in text]
    return chance.choice(spelled) if spelled else text


def one_digit(chance: random.Random, text: str) -> str:
    """One digit wrong, or two neighbours exchanged."""
    places = [place for place, character in enumerate(text) if character.isdigit()]
    at = chance.randrange(len(places) - 1)
    one, other = places[at], places[at + 1]
    typed = list(text)
    if chance.random() < 0.5 and text[one] != text[other]:
        typed[one], typed[other] = text[other], text[one]
    else:
        typed[one] = chance.choice([digit for digit in "0123456789" if digit != text[one]])
    return "".join(typed)
