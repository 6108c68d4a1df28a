"""Simulated EHRs: what public documents say of an EHR's write API, over real HTTP with real OAuth, on a laptop.

Each is made from the EHR's profile (`mappings/ehrs/<ehr>/ehr.toml`) and a file of its own here that says how the server
behaves (`<ehr>.toml`). They are made from public documents, are not affiliated with any vendor, and prove nothing about
a customer's installation: they let the sender be tested against what an EHR may do, the bad days included.
"""
