"""Runs a data set's tests. The functions that they call live in another sandbox: a call sends the arguments there and
gets a value back. This process never loads a line of the program under judgement.

Standard input: {"tests": [text…], "setup": text, "entry_point": text or null}, or {"function": name, "calls":
[[arguments, expected]…]}. Standard output: a line for each test and at last "end". "pass"; "fail"; "closed": the program
ended before it answered; "unusable REASON": the test is none.
"""

import ast
import builtins
import importlib
import json
import os
import sys

import wire

# What a test may want to catch. Others could end a loop of the test's (StopIteration) or its whole process.
FORWARDED = {
    name: getattr(builtins, name)
    for name in ("ArithmeticError", "IndexError", "KeyError", "LookupError", "OverflowError", "TypeError", "ValueError")
    + ("ZeroDivisionError",)
}
# Tests may use these without an import, where the solution that their author had in mind imported them.
MODULES = set("bisect cmath collections copy datetime decimal fractions functools heapq itertools math operator re".split())


class Failed(BaseException):
    """The program gave no usable answer. No test catches it: `except Exception` does not."""


class Unusable(BaseException):
    """The test asks for what cannot be sent."""


class Remote:
    """A function of the program's: all that a test gets of it."""

    failed = False  # the first failure is the last: a test cannot go on past it
    closed = False
    answers = 0

    def __init__(self, name):
        self.name = name

    def __call__(self, *args, **kwargs):
        if Remote.failed or Remote.closed:
            Remote.failed = True
            raise Failed
        try:
            call = {"name": self.name, "args": wire.encode(list(args)), "kwargs": wire.encode(kwargs)}
        except wire.NotPlain as error:
            raise Unusable("a call of %s passes what is not plain data: %s" % (self.name, error)) from error
        try:
            wire.send(call)
            reply = wire.receive()
            Remote.answers += 1
            if isinstance(reply, dict) and "result" in reply:
                return wire.decode(reply["result"])
            name = reply.get("failed") if isinstance(reply, dict) else None
        except wire.TooLarge:
            name, Remote.closed = None, True  # the rest of the message would be taken for the next one
        except wire.Closed:
            name, Remote.closed = None, True
        except (wire.NotPlain, RecursionError, MemoryError):
            name = None
        if isinstance(name, str) and name in FORWARDED:
            raise FORWARDED[name]("raised by %s" % self.name)
        Remote.failed = True
        raise Failed


def free_names(tree):
    """Names that the code reads and nobody gives: not the code itself, not Python."""
    loaded, bound = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (loaded if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            bound.add(node.name)
    return loaded - bound - set(dir(builtins))


def run_test(test, setup, entry_point):
    try:
        tree = ast.parse(setup + "\n" + test)
        code = compile(tree, "tests", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise Unusable("it is no Python: %s" % error) from error
    scope = {"__name__": "tests"}
    for name in free_names(tree):
        scope[name] = importlib.import_module(name) if name in MODULES else Remote(name)
    exec(code, scope)
    if entry_point:
        if not callable(scope.get("check")):
            raise Unusable("it has an entry point, but no function check")
        scope["check"](Remote(entry_point))
    if Remote.answers == 0:
        raise Unusable("it calls no function of the program")


def run_call(function, arguments, expected):
    def as_json(value):
        return json.loads(json.dumps(value))  # tuples are lists there

    found = as_json(Remote(function)(*arguments))
    # Some data sets put the one result in a list.
    assert found == expected or (isinstance(expected, list) and len(expected) == 1 and found == expected[0])


def judge(run, *arguments):
    Remote.failed, Remote.answers = False, 0
    passed = False
    try:
        run(*arguments)
        passed = not Remote.failed
    except Unusable as error:
        return "unusable %s" % error
    except BaseException:  # an assertion; Failed; what the test's own code makes of a value
        pass
    if passed:
        return "pass"
    return "closed" if Remote.closed else "fail"


def main():
    verdicts = os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 1)  # what tests print
    request = json.load(sys.stdin)
    os.dup2(null, 0)
    if "function" in request:
        jobs = [(run_call, request["function"], arguments, expected) for arguments, expected in request["calls"]]
    else:
        jobs = [(run_test, test, request["setup"], request["entry_point"]) for test in request["tests"]]
    for job in jobs:
        line = judge(*job).encode("ascii", "backslashreplace").replace(b"\n", b" ")[:500]
        os.write(verdicts, line + b"\n")
    os.write(verdicts, b"end\n")


main()
