"""Names as people write them, all over the world: a variant of a name is linked where the other evidence agrees.

The pairs were written down without the list of nicknames at hand; a few of them are not in it, and should not all be.
"""

from __future__ import annotations

from typing import Any

import pytest

from headwater.model import Person, SourceRecord, Traits, Verdict
from headwater.persons.grade import grade_person
from headwater.persons.policy import MatchingPolicy
from headwater.persons.profile import profile_of
from tests.persons.conftest import person
from tests.persons.test_grade import NOON

HOME: dict[str, Any] = {"phone": "7132345678", "address_lines": ("120 Oak St",), "postal_code": "77002"}

ENGLISH = """
Jon/Jonathan Bill/William Bob/Robert Peggy/Margaret Liz/Elizabeth Beth/Elizabeth Betty/Elizabeth Jack/John Jim/James
Dick/Richard Rick/Richard Chuck/Charles Ted/Edward Ned/Edward Hank/Henry Tony/Anthony Kate/Katherine Katie/Kathleen
Mike/Michael Dave/David Tom/Thomas Dan/Daniel Steve/Stephen Steve/Steven Sue/Susan Debbie/Deborah Cindy/Cynthia
Becky/Rebecca Kim/Kimberly Sam/Samuel Sam/Samantha Alex/Alexander Ben/Benjamin Nick/Nicholas Matt/Matthew Andy/Andrew
Greg/Gregory Jeff/Jeffrey Ken/Kenneth Larry/Lawrence Jerry/Gerald Terry/Theresa Pam/Pamela Patty/Patricia
Jenny/Jennifer Jess/Jessica Mandy/Amanda Abby/Abigail Maggie/Margaret Meg/Megan Molly/Mary Sally/Sarah Nancy/Ann
Fred/Frederick Gus/August Vicky/Victoria Val/Valerie Wes/Wesley Zach/Zachary Josh/Joshua Jake/Jacob Theo/Theodore
Sean/Shawn Sara/Sarah Jon/John Geoff/Geoffrey Catherine/Katherine Brian/Bryan Eric/Erik Stephen/Steven Phillip/Philip
"""
SPANISH = """
Pepe/José Lupe/Guadalupe Paco/Francisco Pancho/Francisco Nacho/Ignacio Chuy/Jesús Beto/Alberto Memo/Guillermo
Lalo/Eduardo Quique/Enrique Kike/Enrique Toño/Antonio Chava/Salvador Neto/Ernesto Chente/Vicente Goyo/Gregorio
Mague/Margarita Concha/Concepción Chelo/Consuelo Lola/Dolores Chayo/Rosario Paty/Patricia Lety/Leticia Tere/Teresa
Meche/Mercedes Chabela/Isabel Nando/Fernando Poncho/Alfonso Licha/Alicia Güicho/Luis Rafa/Rafael Moncho/Ramón
Tavo/Gustavo Lencho/Lorenzo Cuca/Refugio Yoli/Yolanda Gaby/Gabriela Vero/Verónica Susy/Susana Tencha/Hortensia
"""
OTHERS = """
Sasha/Aleksandr Dima/Dmitri Misha/Mikhail Katya/Ekaterina Volodya/Vladimir Vanya/Ivan Natasha/Natalia Tanya/Tatiana
Sveta/Svetlana Kolya/Nikolai Zhenya/Evgeny Lena/Elena Masha/Maria Kasia/Katarzyna Gosia/Malgorzata Krzysztof/Krzys
Muhammad/Mohammed Mohamed/Muhammad Yusuf/Youssef Ahmed/Ahmad Hussein/Husain Abdulrahman/Abdelrahman Khaled/Khalid
Fatima/Fatma Omar/Umar Sayed/Syed Ibrahim/Ebrahim Aisha/Ayesha Mustafa/Mostafa Beppe/Giuseppe Gianni/Giovanni
Xiao-Ming/Xiaoming Mei-Ling/Meiling Raj/Rajesh Sid/Siddharth
"""
WHOLE_NAMES = [
    ("Ming Zhang", "Zhang Ming"),  # family name first
    ("Xiaoming Wang", "Wang Xiao-Ming"),
    ("Thi-Lan Nguyen", "Nguyen ThiLan"),
    ("Irina Ivanov", "Irina Ivanova"),  # family names that follow the sex
    ("Anna Kowalski", "Anna Kowalska"),
    ("Omar Al-Hassan", "Omar Hassan"),
    ("Omar El-Sayed", "Omar Alsayed"),
    ("Ana García-López", "Ana García"),
    ("Pedro De-La-Cruz", "Pedro Cruz"),
    ("Jürgen Müller", "Jurgen Muller"),
    ("Zoë O'Brien", "ZOE OBRIEN"),
    ("Siobhán McDonald", "Siobhan Mc-Donald"),
]


def linked(one: Traits, other: Traits, policy: MatchingPolicy) -> bool:
    known = Person("p", 1, (SourceRecord("r", "e", one, NOON),))
    return grade_person(profile_of(other, policy), known, policy).verdict is Verdict.SAME


@pytest.mark.parametrize("pairs", [ENGLISH, SPANISH, OTHERS], ids=["english", "spanish", "others"])
@pytest.mark.parametrize("evidence", [HOME, {"phone": HOME["phone"]}], ids=["phone and address", "phone"])
def test_nine_of_ten_variants_are_linked_where_the_rest_agrees(
    pairs: str, evidence: dict[str, Any], policy: MatchingPolicy
) -> None:
    names = [pair.split("/") for pair in pairs.split()]
    missed = [
        f"{one}/{other}"
        for one, other in names
        if not linked(person(f"{one} Quintero", **evidence), person(f"{other} Quintero", **evidence), policy)
    ]
    assert len(missed) <= 0.1 * len(names), missed


@pytest.mark.parametrize(("one", "other"), WHOLE_NAMES)
def test_names_in_another_order_or_another_spelling(one: str, other: str, policy: MatchingPolicy) -> None:
    assert linked(person(one, **HOME), person(other, **HOME), policy)
    assert linked(person(other, **HOME), person(one, **HOME), policy)


@pytest.mark.parametrize(
    "pair", ["Emily/Emma", "Juan/John", "Maria/Mary", "Carlos/Carla", "Daniel/David", "Christian/Christopher"]
)
def test_two_children_of_a_home_are_not_linked(pair: str, policy: MatchingPolicy) -> None:
    one, other = pair.split("/")
    assert not linked(person(f"{one} Quintero", **HOME), person(f"{other} Quintero", **HOME), policy)
