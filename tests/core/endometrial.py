"""Histology of 79 endometrial cancers, the example of Heinze and Schemper (2002), table I."""

import pandas as pd

# Neovasculation, pulsatility index of the uterine artery, height of the endometrium in mm.
LOW_GRADE = """
0 13 1.64; 0 16 2.26; 0 8 3.14; 0 34 2.68; 0 20 1.28; 0 5 2.31; 0 17 1.8; 0 10 1.68; 0 26 1.56; 0 17 2.31; 0 8 2.01;
0 7 1.89; 0 20 3.15; 0 10 1.23; 0 18 1.27; 0 16 1.76; 0 18 2; 0 28 1.5; 0 11 1.33; 0 19 2.37; 0 10 1.82; 0 10 3.13;
0 18 1.31; 0 14 1.92; 0 21 1.64; 0 11 2.01; 0 17 1.88; 0 25 1.93; 0 16 2.11; 0 19 1.29; 0 15 1.72; 0 33 0.75;
0 24 1.92; 0 29 2.02; 0 15 2.29; 0 12 2.33; 0 3 2.9; 0 20 1.7; 0 23 1.41; 0 12 2.25; 0 22 1.54; 0 42 1.97; 0 15 1.75;
0 13 2.16; 0 14 2.57; 0 19 1.37; 0 12 3.61; 0 13 2.04; 0 10 2.17
"""
HIGH_GRADE = """
0 8 2.64; 0 29 0.88; 0 12 1.27; 0 20 1.37; 1 38 0.97; 1 22 1.14; 1 7 0.88; 1 25 0.91; 1 15 0.58; 0 7 0.97; 0 48 1.84;
0 12 1.11; 0 19 1.61; 0 2 1.18; 1 22 1.44; 1 40 1.18; 1 5 0.93; 1 0 1.17; 0 21 1.19; 0 15 1.06; 0 12 1.69; 1 49 0.27;
0 6 1.84; 0 5 1.3; 0 17 0.96; 1 11 1.01; 1 21 0.98; 0 5 0.35; 1 19 1.02; 0 33 0.85
"""


def endometrial() -> pd.DataFrame:
    """Return 79 rows with `nv`, `pi`, `eh`, and `high_grade`, 0 or 1."""
    rows = [
        [*map(float, patient.split()), grade]
        for grade, listed in enumerate((LOW_GRADE, HIGH_GRADE))
        for patient in listed.split(";")
    ]
    return pd.DataFrame(rows, columns=["nv", "pi", "eh", "high_grade"])
