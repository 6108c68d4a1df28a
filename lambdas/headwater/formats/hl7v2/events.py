"""Which abstract message a trigger event is: ADT^A08 has the structure ADT_A01 (HL7 v2.5.1 chapter 2, table 0354).

MSH-9.3 says it too, but is often missing or wrong, so it is not asked.
"""

from __future__ import annotations

_ADT = {
    "A01": ("A01", "A04", "A08", "A13"),
    "A02": ("A02",),
    "A03": ("A03",),
    "A05": ("A05", "A14", "A28", "A31"),
    "A06": ("A06", "A07"),
    "A09": ("A09", "A10", "A11", "A12"),
    "A15": ("A15",),
    "A16": ("A16",),
    "A17": ("A17",),
    "A18": ("A18",),
    "A20": ("A20",),
    "A21": ("A21", "A22", "A23", "A25", "A26", "A27", "A29", "A32", "A33"),
    "A24": ("A24",),
    "A30": ("A30", "A34", "A35", "A36", "A46", "A47", "A48", "A49"),
    "A37": ("A37",),
    "A38": ("A38",),
    "A39": ("A39", "A40", "A41", "A42"),
    "A43": ("A43", "A44"),
    "A45": ("A45",),
    "A50": ("A50", "A51"),
    "A52": ("A52", "A53"),
    "A54": ("A54", "A55"),
    "A60": ("A60",),
    "A61": ("A61", "A62"),
}
_STRUCTURES = {f"ADT_{event}": f"ADT_{structure}" for structure, events in _ADT.items() for event in events}


def structure_of(message_type: str, trigger: str) -> str:
    """`ADT_A01` for ADT^A08; the type and trigger themselves when the table does not know them."""
    said = f"{message_type}_{trigger}" if trigger else message_type
    return _STRUCTURES.get(said, said)
