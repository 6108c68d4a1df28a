"""Splink (Fellegi-Sunter by expectation maximisation on DuckDB) with its stock comparisons, to measure against.

It is set up as its own documentation does for people: comparisons of its library, u from random pairs, m by
expectation maximisation over three blockings, term frequencies for names. It sees the values that our own match sees,
placeholders gone. Needs the extra `empi`.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from typing import Any

from headwater.persons.profile import Profile
from local.empi.scored import Scored
from local.empi.truth import Known

SAME, POSSIBLE = 0.999, 0.5  # what its probability says is 99.9 % certain, and more likely than not
_KEPT = 0.01  # pairs below are not asked for
_MAXIMISED = 1e7  # pairs of a blocking that it is trained on; of more, which only millions of records have, a sample
_EXACT = ("sex", "ssn", "phone")
_TRAINED = (("birth_date",), ("given", "family"), ("phone",))
_PREDICTED = (*_TRAINED, ("ssn",), ("email",), ("family", "postal_code"))


def score_by_splink(records: Sequence[Known], threads: int = 2) -> Scored:
    """Scores are Splink's match weights (log2 of the odds), which do not round to 1 as its probabilities do. Raises
    ModuleNotFoundError without the extra."""
    import duckdb  # type: ignore[import-not-found,unused-ignore]
    import pandas  # type: ignore[import-untyped,unused-ignore]

    started = time.process_time()
    table = pandas.DataFrame([row_of(place, record.profile) for place, record in enumerate(records)])
    known = {name for name in table.columns if table[name].notna().any()}
    connection = duckdb.connect()
    connection.execute(f"SET threads = {threads}")
    linker = linker_of(connection, table, known)
    train(linker, known)
    found = predict(linker).as_pandas_dataframe()
    pairs = list(zip(found["unique_id_l"], found["unique_id_r"], found["match_weight"], strict=True))
    return Scored(
        "Splink", pairs, same=weight_of(SAME), possible=weight_of(POSSIBLE), cpu=time.process_time() - started
    )


def linker_of(connection: Any, table: Any, known: set[str]) -> Any:
    """Splink's Linker of a pandas table, or of one of the connection's by its name; `known` are the columns that hold
    anything."""
    from splink import DuckDBAPI, Linker, SettingsCreator  # type: ignore[import-not-found,unused-ignore]

    settings = SettingsCreator(
        link_type="dedupe_only", comparisons=_comparisons(known), retain_matching_columns=False,
        blocking_rules_to_generate_predictions=_blockings(_PREDICTED, known), max_iterations=20,
    )  # fmt: skip
    return Linker(DuckDBAPI(connection).register(table), settings, log_level=logging.ERROR)


def train(linker: Any, known: set[str]) -> None:
    from splink import block_on

    certain = [block_on("given", "family", "birth_date")]
    linker.training.estimate_probability_two_random_records_match(certain, recall=0.7)
    linker.training.estimate_u_using_random_sampling(max_pairs=1e6, seed=1)
    for blocking in _blockings(_TRAINED, known):
        linker.training.estimate_parameters_using_expectation_maximisation(blocking, max_pairs=_MAXIMISED)


def predict(linker: Any) -> Any:
    """Splink's table of the pairs that are worth keeping."""
    return linker.inference.predict(threshold_match_probability=_KEPT)


def _blockings(rules: Sequence[tuple[str, ...]], known: set[str]) -> list[Any]:
    from splink import block_on

    return [block_on(*columns) for columns in rules if known.issuperset(columns)]


def _comparisons(known: set[str]) -> list[Any]:
    from splink import comparison_library as library

    stock = {
        "given": library.NameComparison("given").configure(term_frequency_adjustments=True),
        "family": library.NameComparison("family").configure(term_frequency_adjustments=True),
        "birth_date": library.DateOfBirthComparison("birth_date", input_is_string=True),
        "email": library.EmailComparison("email"),
        "street": library.LevenshteinAtThresholds("street", [1, 2]),
        "postal_code": library.ExactMatch("postal_code").configure(term_frequency_adjustments=True),
    }
    return [stock.get(name) or library.ExactMatch(name) for name in (*stock, *_EXACT) if name in known]


def row_of(place: int, p: Profile) -> dict[str, Any]:
    """A record as a row of the table."""
    return {
        "unique_id": place,
        "given": p.given[0] if p.given else None,
        "family": " ".join(p.family) or None,
        "birth_date": p.birth_date.isoformat() if p.birth_date else None,
        "sex": p.sex or None,
        "ssn": p.ssn or None,
        "phone": next(iter(sorted(p.phones)), None),
        "email": next(iter(sorted(p.emails)), None),
        "street": p.street or None,
        "postal_code": p.postal_code or None,
    }


def weight_of(probability: float) -> float:
    """The match weight of a probability: log2 of its odds."""
    return math.log2(probability / (1 - probability))
