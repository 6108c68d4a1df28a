"""What is special about each EHR, read from `mappings/ehrs/<ehr>/` into frozen objects; no Python names one.

Inbound asks it for time zones and assigning authorities, outbound for what an EHR may be told, how, and what its
answers mean.
"""

from headwater.ehrs.conditions import Condition, values
from headwater.ehrs.load import Ehrs, load
from headwater.ehrs.profile import AnswerBody, Api, Auth, Ehr, Feed, Operation, Operations, PatientIdentity, Rule
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
    "Fact",
    "Feed",
    "Next",
    "Operation",
    "Operations",
    "PatientIdentity",
    "Published",
    "Reaction",
    "RetryRow",
    "Rule",
    "WriteSurface",
    "load",
    "values",
]
