"""Loads the program under judgement and answers calls of its functions: arguments in, a result out.

Nothing here needs to be trusted. The program may do with this process what it likes; all that it can say to the judge is
a value, and the judge alone knows which one is right.
"""

import sys
import types

import wire


def find(module, name):
    if callable(getattr(module, name, None)):
        return getattr(module, name)
    # LeetCode's form, which some data sets keep.
    solution = getattr(module, "Solution", None)
    method = getattr(solution, name, None) if isinstance(solution, type) else None
    return getattr(solution(), name) if callable(method) else None


def answer(module, request):
    function = find(module, request["name"])
    if function is None:
        return {"failed": "NameError"}
    args = wire.decode(request["args"])
    kwargs = wire.decode(request["kwargs"])
    try:
        return {"result": wire.encode(function(*args, **kwargs))}
    except wire.NotPlain:
        return {"failed": "NotPlain"}
    except Exception as error:
        return {"failed": next((kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "builtins"), "")}


def main():
    module = types.ModuleType("solution")
    sys.modules["solution"] = module
    path = "/hone/solution.py"
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec")
    exec(code, module.__dict__)
    while True:
        try:
            wire.send(answer(module, wire.receive()))
        except wire.NotPlain:
            wire.send({"failed": "NotPlain"})


try:
    main()
except wire.Closed:
    pass
