"""Names for made-up people: common ones weighted by rank, rare ones put together, so that namesakes are as frequent as
they are in a real city. The figures are rounded shares of the US Census (2010, family names; public domain)."""

from __future__ import annotations

import random

# English names with a known nickname are frequent on purpose: they are what a match must get right.
MALE = (
    "James John Robert Michael William David Richard Joseph Thomas Charles Christopher Daniel Matthew Anthony Donald "
    "Mark Paul Steven Andrew Kenneth Joshua Kevin Brian George Edward Ronald Timothy Jason Jeffrey Ryan Jacob Gary "
    "Nicholas Eric Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Frank Alexander Raymond Patrick "
    "Jack Dennis Jerry Tyler Aaron Henry Douglas Nathaniel Peter Zachary Walter Kyle Harold Carl Jeremy Gerald Keith"
).split()
FEMALE = (
    "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Nancy Lisa Margaret Betty Sandra Ashley "
    "Dorothy Kimberly Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Laura Sharon Cynthia Kathleen "
    "Amy Angela Shirley Anna Brenda Pamela Emma Nicole Helen Samantha Katherine Christine Debra Rachel Carolyn Janet "
    "Catherine Maria Heather Diane Ruth Julie Olivia Joyce Virginia Victoria Kelly Lauren Christina Joan Evelyn Judith"
).split()
SPANISH_MALE = (
    "José Juan Luis Carlos Jesús Miguel Antonio Francisco Jorge Manuel Pedro Ángel Ricardo Roberto Eduardo Fernando "
    "Javier Rafael Alejandro Daniel Ramón Guillermo Ignacio Enrique Alfonso Sergio"
).split()
SPANISH_FEMALE = (
    "María Ana Guadalupe Rosa Carmen Juana Martha Sofía Leticia Verónica Elena Luz Dolores Josefina Teresa Margarita "
    "Silvia Adriana Patricia Alejandra Gabriela Isabel Graciela Concepción Mercedes Consuelo"
).split()
FAMILY = (
    "Smith Johnson Williams Brown Jones Miller Davis Wilson Anderson Thomas Taylor Moore Jackson Martin Lee Thompson "
    "White Harris Clark Lewis Robinson Walker Young Allen King Wright Scott Hill Green Adams Nelson Baker Hall Campbell "
    "Mitchell Carter Roberts Phillips Evans Turner Parker Collins Edwards Stewart Morris Murphy Cook Rogers Morgan Cooper "
    "Peterson Reed Bailey Bell Kelly Howard Ward Cox Richardson Wood Watson Brooks Bennett Gray James Hughes Price Myers "
    "Long Foster Sanders Ross Powell Sullivan Russell Jenkins Perry Butler Barnes Fisher O'Brien McCarthy Van-Dyke"
).split()
SPANISH_FAMILY = (
    "García Rodríguez Martínez Hernández López González Pérez Sánchez Ramírez Torres Flores Rivera Gómez Díaz Reyes Cruz "
    "Morales Ortiz Gutiérrez Chávez Ramos Ruiz Álvarez Mendoza Vásquez Castillo Jiménez Moreno Herrera Medina Aguilar "
    "Vargas Castro Guzmán Muñoz Rojas Salazar Delgado Peña Ríos Núñez Ibarra Quintero Zúñiga"
).split()
STREETS = (
    "Oak Elm Maple Cedar Pine Main Park Lake River First Second Third Washington Lincoln Sunset Highland Meadow Forest "
    "Spring Church Mill Ridge Valley Bayou Magnolia Pecan Jefferson Madison Franklin Jackson Willow Walnut Chestnut Birch"
).split()
_STARTS = (
    "Al Bar Bel Ber Bran Cal Can Car Dal Del Dor El Fal Far Fen Gar Gold Gros Hal Hart Hel Hol Jan Kel Kin Kol Lam Lan "
    "Lind Lor Mal Mar Mel Mor Nor Ol Pal Pel Quin Ram Ros Sal Sand Schu Sel Stan Stein Tal Thor Tor Val Var Vel Wal Wes Wil"
).split()
_ENDS = (
    "baum bach berg bert bury by den der dorf feld field ford ger gren ham hardt hoff holm ick inski ius kamp ke ko "
    "land ler ley ling lund man mann mer nard ner ney nik over owski quist rell ridge sen sky ski son stad stein stone ston "
    "strom ter ton vale vich wald ward way well wick witz wood worth"
).split()


def given(chance: random.Random, sex: str, *, spanish: bool) -> str:
    if spanish and chance.random() < 0.8:
        return _ranked(chance, SPANISH_MALE if sex == "male" else SPANISH_FEMALE)
    return _ranked(chance, MALE if sex == "male" else FEMALE)


def family(chance: random.Random, *, spanish: bool) -> str:
    if spanish:
        return _ranked(chance, SPANISH_FAMILY)
    if chance.random() < 0.35:
        return _ranked(chance, FAMILY)
    return chance.choice(_STARTS) + chance.choice(_ENDS)


def _ranked(chance: random.Random, names: list[str]) -> str:
    """The first names of a list oftener than the last, about as 1/(rank + 10)."""
    size = len(names)
    return names[min(size - 1, int(10 * ((1 + size / 10) ** chance.random() - 1)))]
