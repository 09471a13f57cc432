#!/usr/bin/env python3
"""A verifier as a program: 1 for the right answer, less for a long one.  [[reward]] verifier = "./shortest.py" """
import json
import sys

for line in sys.stdin:
    sample = json.loads(line)
    right = sample["completion"].strip().endswith(str(sample["columns"]["answer"]))
    reward = 1 / (1 + len(sample["completion"]) / 1000) if right else 0
    print(json.dumps({"reward": reward}), flush=True)
