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
# Of the other types, those whose structure is not named after each of its own events.
_OTHERS = {
    "MDM_T01": ("MDM_T01", "MDM_T03", "MDM_T05", "MDM_T07", "MDM_T09", "MDM_T11"),
    "MDM_T02": ("MDM_T02", "MDM_T04", "MDM_T06", "MDM_T08", "MDM_T10"),
    "ORU_R01": ("ORU_R01", "ORU"),
    "ORU_R30": ("ORU_R30", "ORU_R31", "ORU_R32"),
    "PPR_PC1": ("PPR_PC1", "PPR_PC2", "PPR_PC3"),
    "RDE_O11": ("RDE_O11", "RDE_O01", "RDE_O25", "RDE"),
    "RDS_O13": ("RDS_O13", "RDS_O01", "RDS"),
    "RAS_O17": ("RAS_O17", "RAS_O01", "RAS"),
    "REF_I12": ("REF_I12", "REF_I13", "REF_I14", "REF_I15"),
    "SIU_S12": (*(f"SIU_S{event}" for event in range(12, 25)), "SIU_S26", "SIU_S27", "SIU"),
    "ORM_O01": ("ORM_O01", "ORM"),
    "VXU_V04": ("VXU_V04", "VXU"),
}
_STRUCTURES = {
    **{f"ADT_{event}": f"ADT_{structure}" for structure, events in _ADT.items() for event in events},
    **{said: structure for structure, types in _OTHERS.items() for said in types},
}


def structure_of(message_type: str, trigger: str) -> str:
    """`ADT_A01` for ADT^A08, `ACK` for an acknowledgement of anything; the type and trigger themselves when the table
    does not know them. Types that have one structure have it without a trigger too."""
    if message_type == "ACK":
        return message_type
    said = f"{message_type}_{trigger}" if trigger else message_type
    return _STRUCTURES.get(said, said)
