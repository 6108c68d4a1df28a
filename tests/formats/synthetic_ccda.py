"""A made-up CCD of any size, for tests and for measuring: shaped like an export of an EHR, about nobody."""

from __future__ import annotations

_HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<ClinicalDocument xmlns="urn:hl7-org:v3" xmlns:sdtc="urn:hl7-org:sdtc" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
  <realmCode code="US"/>
  <typeId root="2.16.840.1.113883.1.3" extension="POCD_HD000040"/>
  <templateId root="2.16.840.1.113883.10.20.22.1.2" extension="2015-08-01"/>
  <id root="1.2.840.99999.1" extension="DOC-1"/>
  <code code="34133-9" codeSystem="2.16.840.1.113883.6.1" displayName="Summarization of Episode Note"/>
  <title>Continuity of Care Document</title>
  <effectiveTime value="20250711083000-0500"/>
  <confidentialityCode code="N" codeSystem="2.16.840.1.113883.5.25"/>
  <recordTarget><patientRole>
    <id root="1.2.840.99999.2" extension="SYN-0001"/>
    <addr use="HP">
      <streetAddressLine>1 Example Way</streetAddressLine><city>Springfield</city><state>IL</state>
      <postalCode>62701</postalCode>
    </addr>
    <telecom use="HP" value="tel:+1(217)555-0100"/>
    <patient>
      <name use="L"><given>Synthia</given><given>Q</given><family>Testcase</family></name>
      <administrativeGenderCode code="F" codeSystem="2.16.840.1.113883.5.1"/>
      <birthTime value="19700101"/>
    </patient>
  </patientRole></recordTarget>
  <component><structuredBody>
"""
_RESULTS_HEAD = """    <component><section>
      <templateId root="2.16.840.1.113883.10.20.22.2.3.1" extension="2015-08-01"/>
      <code code="30954-2" codeSystem="2.16.840.1.113883.6.1" displayName="Relevant diagnostic tests"/>
      <title>Results</title>
      <text><table border="1"><thead><tr><th>Test</th><th>Value</th></tr></thead><tbody>
"""
_RESULTS_ENTRY = """      <entry typeCode="DRIV"><organizer classCode="BATTERY" moodCode="EVN">
        <templateId root="2.16.840.1.113883.10.20.22.4.1" extension="2015-08-01"/>
        <id root="1.2.840.99999.3" extension="B-{n}"/>
        <code code="58410-2" codeSystem="2.16.840.1.113883.6.1" displayName="CBC panel"/>
        <statusCode code="completed"/>
        <component><observation classCode="OBS" moodCode="EVN">
          <templateId root="2.16.840.1.113883.10.20.22.4.2" extension="2015-08-01"/>
          <id root="1.2.840.99999.3" extension="R-{n}"/>
          <code code="718-7" codeSystem="2.16.840.1.113883.6.1" displayName="Hemoglobin">
            <originalText><reference value="#result{n}"/></originalText>
          </code>
          <text><reference value="#result{n}"/></text>
          <statusCode code="completed"/>
          <effectiveTime value="20250710{hour:02}0000-0500"/>
          <value xsi:type="PQ" value="13.{digit}" unit="g/dL"/>
          <interpretationCode code="N" codeSystem="2.16.840.1.113883.5.83"/>
          <referenceRange><observationRange>
            <value xsi:type="IVL_PQ"><low value="12" unit="g/dL"/><high value="16" unit="g/dL"/></value>
          </observationRange></referenceRange>
        </observation></component>
      </organizer></entry>
"""


def ccd(results: int = 3) -> bytes:
    """A CCD with one section of `results` batteries of one result each; about 1.6 KB a battery."""
    rows = "".join(
        f'<tr ID="row{n}"><td ID="result{n}">Hemoglobin</td><td>13.{n % 10} g/dL</td></tr>\n' for n in range(results)
    )
    entries = "".join(_RESULTS_ENTRY.format(n=n, hour=n % 24, digit=n % 10) for n in range(results))
    tail = "    </section></component>\n  </structuredBody></component>\n</ClinicalDocument>\n"
    return f"{_HEAD}{_RESULTS_HEAD}{rows}</tbody></table></text>\n{entries}{tail}".encode()
