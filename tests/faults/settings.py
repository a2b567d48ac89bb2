"""How often, by what chance, and how strictly: what the environment asks of the fault tests."""

from __future__ import annotations

import os

__all__ = ["PATIENCE", "ROUNDS", "SEED"]

#: Ten times, when thoroughness is asked for.
ROUNDS = int(os.environ.get("FAULTS_ROUNDS", "10" if os.environ.get("HYPOTHESIS_PROFILE") == "thorough" else "1"))
SEED = int(os.environ.get("FAULTS_SEED", "1"))
#: What is promised within a second, on a machine of one's own, may take so many here.
PATIENCE = float(os.environ.get("FAULTS_PATIENCE", "8"))
