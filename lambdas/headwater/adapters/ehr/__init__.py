"""The write APIs of EHRs: the `EhrApi` and `EhrApis` ports."""
