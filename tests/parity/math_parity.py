"""The verifier `math` beside Hugging Face's Math-Verify.

On the labelled set (tests/reward/math_labelled.jsonl) both judge every completion; printed are each
one's precision and recall, and with --differences where they differ. The set was written with the
verifier, so that its figures are a regression's, not an estimate of either's quality elsewhere.

With --published DIR (a checkout of Math-Verify) its own test cases are judged too. Its tests hold
whole texts of which it takes the last formula; here the same formula stands in a box.

usage: [HONE=path] math_parity.py [--differences] [--published DIR]
"""

import argparse
import collections
import importlib
import json
import os
import pathlib
import re
import subprocess
import sys
import types

ROOT = pathlib.Path(__file__).parent.parent.parent
HONE = os.environ.get("HONE", ROOT / "build" / "release" / "hone")
LABELLED = ROOT / "tests" / "reward" / "math_labelled.jsonl"


def hone_rewards(rows, options=()):
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    command = [HONE, "score", "--verifier", "math", *options]
    done = subprocess.run(command, input=lines, capture_output=True, text=True, check=True)
    return [json.loads(line)["reward"] for line in done.stdout.splitlines()]


def math_verify_rewards(rows):
    from math_verify import ExprExtractionConfig, LatexExtractionConfig, parse, verify

    configs = [LatexExtractionConfig(boxed_match_priority=0), ExprExtractionConfig()]
    rewards = []
    for row in rows:
        # Its documentation asks for LaTeX between dollars.
        gold = parse("$" + row["answer"] + "$", configs)
        found = parse(row["completion"], configs)
        rewards.append(1.0 if verify(gold, found) else 0.0)
    return rewards


def figures(rewards, labels):
    hit = sum(r == 1 and l == 1 for r, l in zip(rewards, labels))
    said, right = sum(r == 1 for r in rewards), sum(l == 1 for l in labels)
    return {"precision": round(hit / said, 4), "recall": round(hit / right, 4),
            "false_positives": said - hit, "false_negatives": right - hit}


def published_cases(folder):
    """The pairs of Math-Verify's parametrized tests, without running them."""
    cases = []

    class Mark:
        def parametrize(self, names, values, **_):
            def keep(function):
                keys = [n.strip() for n in (names.split(",") if isinstance(names, str) else names)]
                if "gold" in keys:
                    cases.extend(dict(zip(keys, value)) for value in values)
                return function
            return keep

    pytest = types.ModuleType("pytest")
    pytest.mark, pytest.raises = Mark(), None
    sys.modules["pytest"] = pytest
    sys.path.insert(0, folder)
    for name in ("all", "boxed", "numina_cases", "strict", "yujianll", "open_thoughts"):
        importlib.import_module("tests.test_" + name)
    return cases


def last_formula(text):
    if "boxed" in text:
        return text
    found = re.findall(r"\$\$(.+?)\$\$|\$(.+?)\$|\\\[(.+?)\\\]|\\\((.+?)\\\)", text, re.S)
    if not found:
        return text
    formulas = [next(part for part in parts if part) for parts in found]
    if len(formulas) > 1 and re.fullmatch(r"\s*(\$[^$]+\$\s*(and|or|,)?\s*)+", text):
        return text
    tail = re.search(r"\$\s*(%|percent|pct|miles)\s*$", text)
    return formulas[-1] + (" " + tail.group(1) if tail else "")


def judge_published(folder):
    by_precision = collections.defaultdict(list)
    for case in published_cases(folder):
        by_precision[case.get("precision", 6)].append(case)
    agree = total = 0
    for precision, cases in sorted(by_precision.items()):
        rows = []
        for case in cases:
            found = last_formula(case["pred"])
            box = found if "boxed" in found else "\\boxed{" + found + "}"
            rows.append({"completion": box, "answer": last_formula(case["gold"])})
        rewards = hone_rewards(rows, ["--set", f"decimals={precision}"])
        for case, row, reward in zip(cases, rows, rewards):
            expected = case.get("expected", case.get("result"))
            total += 1
            agree += reward == expected
            if reward != expected:
                print(f"published: expected {expected}: gold {row['answer'][-80:]!r}, "
                      f"answer {row['completion'][-80:]!r}")
    print(json.dumps({"published": total, "agree": agree}))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--differences", action="store_true")
    parser.add_argument("--published")
    arguments = parser.parse_args()
    rows = [json.loads(line) for line in LABELLED.read_text().splitlines()]
    labels = [row["label"] for row in rows]
    ours, theirs = hone_rewards(rows), math_verify_rewards(rows)
    print(json.dumps({"pairs": len(rows), "right": sum(labels), "hone": figures(ours, labels),
                      "math_verify": figures(theirs, labels)}))
    if arguments.differences:
        for row, our, their in zip(rows, ours, theirs):
            if our != their:
                print(f"{row['kind']}: label {row['label']}, hone {our:g}, Math-Verify {their:g}: "
                      f"{row['answer']} | {row['completion']}")
    if arguments.published:
        judge_published(arguments.published)
    if figures(ours, labels)["precision"] < 1:
        sys.exit("math_parity: a wrong answer of the labelled set counts")


if __name__ == "__main__":
    main()
