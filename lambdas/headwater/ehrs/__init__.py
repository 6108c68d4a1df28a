"""What is special about each EHR, read from `mappings/ehrs/<ehr>/` into frozen objects; no Python names one.

Inbound asks it for time zones and assigning authorities, outbound for what an EHR may be told, how, and what its
answers mean.
"""

from headwater.ehrs.conditions import Condition, values
from headwater.ehrs.load import Ehrs, load
from headwater.ehrs.operation import AnswerBody, Encoding, Operation, Operations, Rows, Transport
from headwater.ehrs.profile import Api, Auth, Ehr, Feed, PatientIdentity, Precondition, Rule
from headwater.ehrs.published import Confidence, Fact, Published, WriteSurface
from headwater.ehrs.reactions import Next, Reaction, RetryRow

__all__ = [
    "AnswerBody",
    "Api",
    "Auth",
    "Condition",
    "Confidence",
    "Ehr",
    "Ehrs",
    "Encoding",
    "Fact",
    "Feed",
    "Next",
    "Operation",
    "Operations",
    "PatientIdentity",
    "Precondition",
    "Published",
    "Reaction",
    "RetryRow",
    "Rows",
    "Rule",
    "Transport",
    "WriteSurface",
    "load",
    "values",
]
