#!/usr/bin/env python3
"""A verifier as a program, with every fault that one may have, by what the completion asks for."""
import json
import os
import signal
import subprocess
import sys
import time

if "--dead" in sys.argv:
    sys.exit(7)
for line in sys.stdin:
    sample = json.loads(line)
    what = sample["completion"]
    if what == "exit":
        sys.exit(3)
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hang":
        subprocess.Popen(["sleep", "1000"])
        time.sleep(1000)
    if what == "slow":
        time.sleep(0.3)
    if what == "chatter":
        print("let me see")
    if what == "endless":
        while True:
            sys.stdout.write("x" * 65536)
    if what == "undecided":
        print(json.dumps({"error": "cannot tell"}), flush=True)
    elif what == "pid":
        print(json.dumps({"reward": os.getpid()}), flush=True)
    elif what == "option":
        print(json.dumps({"reward": sample["options"]["bonus"]}), flush=True)
    else:
        print(json.dumps({"reward": len(what) + len(sample["columns"].get("padding", ""))}), flush=True)
