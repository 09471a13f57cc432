"""Draws small Jinja templates, of what chat templates use and of what they might."""
import copy
import warnings

from transformers.utils import chat_template_utils

VARIABLES = {
    "messages": [{"role": "user", "content": " Hi\nyou ", "n": 1}, {"role": "assistant", "content": "Ho", "n": 2.5},
                 {"role": "user", "content": "größer 東京", "tags": ["b", "A", "c"]}],
    "words": ["pear", "Apple", "fig", "apple", ""], "numbers": [3, 1, 2, -7, 0], "mixed": [1, "a", None, True, 2.5, [1]],
    "text": "  one two\nthree  two ", "n": 7, "zero": 0, "x": 2.5, "big": 1e20, "yes": True, "no": False, "nothing": None,
    "d": {"b": 1, "a": [1, 2], "items": "i", "C": {"k": "v"}}, "empty": [], "none_dict": {}, "quote": "it's \"q\"\t\\",
}
NAMES = ["text", "n", "x", "yes", "no", "nothing", "words", "numbers", "mixed", "d", "empty", "messages", "missing", "quote",
         "zero", "big", "none_dict", "d.a", "d.b", "d['items']", "d.C.k", "messages[0].content", "messages[-1].role",
         "messages[9]", "d.missing", "messages[2].tags", "v", "ns.v"]
TEXTS = ["''", "'a'", "'two'", "' '", "'\\n'", "\"it's\"", "'é'", "'%s-%s'", "'%d'", "'%5.2f|'", "'{}:{}'", "'x' 'y'", "'<b>'"]
NUMBERS = ["0", "1", "2", "-1", "3", "2.0", "0.5", "1e3", "10", "-2.75", "1_000"]
LISTS = ["[1, 2, 3]", "['b', 'a']", "(1, 'x')", "[]", "range(4)", "range(5, 0, -2)", "[[1, 2], [3, 4]]", "{'a': 1, 'b': 2}", "d.items()",
         "(1,)", "[none, true]", "d.keys()", "d.values()"]
SEQUENCES = [text for text in LISTS if "{" not in text]  # jinja2 slices a constant dict to an undefined value
FILTERS = ["trim", "upper", "lower", "title", "capitalize", "length", "first", "last", "list", "join", "join(', ')", "join(n)",
           "default('d')", "default('d', true)", "d('z')", "tojson", "tojson(indent=2)", "tojson(sort_keys=true)",
           "tojson(ensure_ascii=true)", "tojson(separators=(',', ':'))", "sort", "sort(reverse=true)", "sort(case_sensitive=true)",
           "unique | list", "reverse | list", "int", "int(5)", "float", "float(1)", "string", "abs", "round", "round(1)",
           "round(1, 'floor')", "round(method='ceil')", "sum", "min", "max", "replace('o', '0')", "replace('o', '0', 1)", "indent",
           "indent(2, true)", "indent(1, blank=true)", "dictsort", "dictsort(reverse=true)", "dictsort(false, 'value')", "items | list",
           "map('upper') | list", "map(attribute='content') | list", "map(attribute='n', default=0) | list", "map('int') | sum",
           "select | list", "reject('none') | list", "select('string') | list", "selectattr('n') | list", "select('odd') | list",
           "rejectattr('role', 'equalto', 'user') | list", "selectattr('n', 'defined') | map(attribute='n') | list", "safe", "escape",
           "e", "batch(2) | list", "batch(2, 'z') | list", "center(9)", "count", "trim('i ')", "format(1, 2)"]
METHODS = [".strip()", ".strip('i ')", ".lstrip()", ".rstrip('o')", ".upper()", ".lower()", ".title()", ".capitalize()", ".split()",
           ".split('o')", ".split('o', 1)", ".split(' ')", ".rsplit('o', 1)", ".splitlines()", ".startswith('  o')", ".endswith(('o', ' '))",
           ".startswith(('a', ''))", ".replace('o', '')", ".replace('', '-')", ".find('o')", ".find('zz')", ".rfind('o')", ".index('o')",
           ".count('o')", ".join(['1', '2'])", ".join(words)", ".isdigit()", ".isspace()", ".format(1, 'b')", ".get('a')", ".get('zz', 3)",
           ".get('zz')", ".items() | list", ".keys() | list", ".values() | list", ".append(1)", ".pop()", ".update({})", ".count(1)",
           ".index(2)", ".bogus", ".partition('o')", ".rpartition('o')", ".removeprefix('  ')", ".removesuffix(' ')", ".__class__",
           ".islower()", ".isalpha()", ".center(30, '*')", ".lstrip(' o')", ".isalnum()"]
ITEMS = ["[0]", "[-1]", "[1:]", "[:-1]", "[::-1]", "[::2]", "[-3:-1]", "['a']", "[99]", "[5:2]", "[2:0:-1]", "[none:2]", "[1:2][0]"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "sequence", "iterable", "number", "integer", "float", "boolean", "true",
         "false", "odd", "even", "divisibleby 2", "divisibleby(3)", "eq 1", "equalto('a')", "ne 2", "in [1, 'a']", "lower", "upper",
         "gt 1", "lessthan 3", "sameas true", "callable", "escaped", "filter", "ge(2)"]
BINARY = ["+", "-", "*", "/", "//", "%", "**", "~", "==", "!=", "<", "<=", ">", ">=", "in", "not in", "and", "or", "~", "+", "=="]
SPACE = ["", " ", "\n", "\n  ", "  \n\n", " a ", "\t\n", "b\n"]


HEAD = "{% set ns = namespace(v=1) %}{% macro m(a, b='q') %}<{{ a }}|{{ b }}>{% endmacro %}"


def works(text):
    try:
        chat_template_utils._compile_jinja_template(HEAD + "{{ " + text + " }}").render(**copy.deepcopy(VARIABLES), i=1, k="a", w=2)
        return True
    except Exception:
        return False


def expression(r, depth=3):
    """One that jinja2 can evaluate, nearly always: errors are common enough as it is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of 1[0]
        for _ in range(20):
            text = any_expression(r, depth)
            if works(text):
                return text
    return text


def any_expression(r, depth):
    if depth == 0 or r.random() < 0.2:
        return r.choice([r.choice(NAMES), r.choice(NAMES), r.choice(TEXTS), r.choice(NUMBERS), r.choice(LISTS)])
    inner = lambda: any_expression(r, depth - 1)
    kind = r.randrange(12)
    if kind <= 1:
        return f"{inner()} {r.choice(BINARY)} {inner()}"
    if kind <= 4:
        return f"{wrapped(inner(), r)} | {r.choice(FILTERS)}"
    if kind <= 6:
        # Behind the name of a filter or test, ".x" is part of the name: one that nobody knows, which fails unless
        # jinja2 happens to fold it away.
        value = inner()
        value = f"({value})" if " | " in value or " is " in value else wrapped(value, r)
        return f"{value}{r.choice(METHODS)}"
    if kind == 7:
        return f"{r.choice(NAMES + TEXTS + SEQUENCES)}{r.choice(ITEMS)}"
    if kind == 8:
        return f"{wrapped(inner(), r)} is {r.choice(['', 'not '])}{r.choice(TESTS)}"
    if kind == 9:
        return f"{inner()} if {inner()}" + (f" else {inner()}" if r.random() < 0.8 else "")
    if kind == 10:
        return r.choice([f"not {inner()}", f"-{wrapped(inner(), r)}", f"({inner()})", f"[{inner()}, {inner()}]", f"({inner()}, {inner()})",
                         f"{{'k': {inner()}, {r.choice(NUMBERS)}: 2}}", f"+{wrapped(inner(), r)}"])
    return f"m({inner()}, b={inner()})" if r.random() < 0.5 else f"{r.choice(TEXTS)} % ({inner()}, {inner()})"


def wrapped(text, r):
    return text if r.random() < 0.4 else f"({text})"


def tag(r, text, kind="%"):
    begin, end = ("{%", "%}") if kind == "%" else ("{{", "}}") if kind == "{" else ("{#", "#}")
    left = r.choice(["", "", "", "-", "+"])
    right = r.choice(["", "", "", "-"] + (["+"] if kind != "{" else []))
    return f"{begin}{left} {text} {right}{end}"


def block(r, depth):
    out = r.choice(SPACE)
    for _ in range(r.randrange(1, 4)):
        out += statement(r, depth) + r.choice(SPACE)
    return out


def statement(r, depth):
    kind = r.randrange(14) if depth > 0 else r.randrange(4)
    if kind <= 2:
        return tag(r, expression(r), "{")
    if kind == 3:
        return r.choice([tag(r, f"set v = {expression(r, 2)}"), tag(r, f"set ns.v = {expression(r, 2)}"), tag(r, "a comment", "#"),
                         tag(r, "set v, w = 1, 2"), tag(r, "raw") + " {{ raw }} " + tag(r, "endraw")])
    body = lambda: block(r, depth - 1)
    if kind <= 5:
        out = tag(r, f"if {expression(r, 2)}") + body()
        if r.random() < 0.4:
            out += tag(r, f"elif {expression(r, 1)}") + body()
        return out + (tag(r, "else") + body() if r.random() < 0.5 else "") + tag(r, "endif")
    if kind <= 9:
        loop = r.choice(["i in numbers", "i in words", "m in messages", "k, i in d.items()", "i in range(3)", "i in text", f"i in {expression(r, 2)}",
                         "i in numbers if i > 0", "m in messages if m.role == 'user'", "k in d", "i in mixed", "a, b in [[1, 2], [3, 4]]",
                         "k, i in d | dictsort", "i in missing"])
        shown = r.choice(["loop.index", "loop.index0", "loop.last", "loop.first", "loop.length", "loop.revindex", "loop.previtem",
                          "loop.nextitem | default('end')", "loop.cycle('a', 'b')", "i", "k", "m.content", "loop.changed(i)", "loop.depth",
                          "loop", "loop.bogus"])
        out = tag(r, f"for {loop}") + tag(r, shown, "{")
        if r.random() < 0.3:
            out += tag(r, f"if {expression(r, 1)}") + tag(r, r.choice(["break", "continue"])) + tag(r, "endif")
        return out + body() + (tag(r, "else") + body() if r.random() < 0.2 else "") + tag(r, "endfor")
    if kind == 10:
        return tag(r, r.choice(["set v", "set v | upper", "set v | trim | length"])) + body() + tag(r, "endset")
    if kind == 11:
        return tag(r, r.choice(["filter upper", "filter trim | title", "filter replace('o', '0')"])) + body() + tag(r, "endfilter")
    if kind == 12:
        return tag(r, f"with v = {expression(r, 1)}, w = 2") + body() + tag(r, "endwith")
    name = r.choice(["p", "q"])
    head = r.choice(["", "a", "a, b=2", "a='z', b=a"])
    uses = r.choice(["", "{{ a }}", "{{ caller() }}", "{{ kwargs }}", "{{ varargs }}", "{{ b }}"])
    call = r.choice(["()", "(1)", "(1, 2)", "(a=1)", "(b=3)", "(1, 2, 3)", "(zz=1)"])
    use = tag(r, f"{name}{call}", "{") if r.random() < 0.7 else tag(r, f"call {name}{call}") + body() + tag(r, "endcall")
    return tag(r, f"macro {name}({head})") + uses + body() + tag(r, "endmacro") + use


def random_template(r):
    return HEAD + block(r, 2) + r.choice(["", "\n", "\n\n"])
