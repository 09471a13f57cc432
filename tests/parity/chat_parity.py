"""Holds `hone tokenize --chat` against transformers' chat templates.

usage: chat_parity.py [HONE] [--templates FOLDER...] [--count N] [--seed N] [--offline]   (needs: transformers, jinja2)

Every template of tests/parity/templates and every published one that trl and the packages of published.py carry (or the
*.jinja of each FOLDER alone) renders conversations of every kind: system, several turns, tools, tool calls and results, reasoning,
parts, variables, with and without the generation prompt. Then N small templates are drawn from a grammar of Jinja. The
text must be the same, or both must fail. Prints a line for each template, and exits with 1 when one differs, or when
published ones could not be had (with --offline they are left out then, and it says so).
"""
import argparse
import copy
import importlib.util
import json
import os
import random
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path

import published
from transformers.utils import chat_template_utils
from chat_grammar import random_template, VARIABLES

REPOSITORY = Path(__file__).resolve().parents[2]
DATE = "2026-07-31"
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class FixedDate(datetime):
    @classmethod
    def now(cls, tz=None):
        return cls(*map(int, DATE.split("-")))


WEATHER = {"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a \"city\" <now> & later's",
    "parameters": {"type": "object", "required": ["city"], "properties": {
        "city": {"type": "string", "description": "Größe 東京"}, "days": {"type": "integer", "default": 3},
        "unit": {"type": "string", "enum": ["C", "F"]}, "flags": {"type": "array", "items": {"type": "boolean"}}}},
    "return": {"type": "string"}}}
ADD = {"type": "function", "function": {"name": "add", "description": "Adds.", "parameters": {
    "type": "object", "properties": {"a": {"type": "number"}, "b": {"type": ["number", "null"]}}, "required": []}}}


def call(name, arguments, call_id="call00001"):
    return {"type": "function", "id": call_id, "function": {"name": name, "arguments": arguments}}


SYSTEM = {"role": "system", "content": "You are <b>terse</b>.\n"}
HI, HELLO = {"role": "user", "content": " Hi,\n 'you' & \"me\" "}, {"role": "assistant", "content": "Hello!  "}
AGAIN = {"role": "user", "content": "And 東京? 🙂"}
ASKED = {"role": "assistant", "content": "", "tool_calls": [call("get_weather", {"city": "Zürich", "days": 2, "x": [1.5, None, True]})]}
ASKED_TWICE = {"role": "assistant", "content": None,
               "tool_calls": [call("add", {"a": 1, "b": 1e-7}, "call00002"), call("get_weather", {"city": "A\\B\n"}, "call00003")]}
ANSWERED = {"role": "tool", "name": "get_weather", "tool_call_id": "call00001", "content": "{\"t\": 21.5}"}
ANSWERED_ADD = {"role": "tool", "name": "add", "tool_call_id": "call00002", "content": "1.0000001"}
ANSWERED_LAST = {"role": "tool", "name": "get_weather", "tool_call_id": "call00003", "content": "rain"}
THOUGHT = {"role": "assistant", "content": "<think>\nfirst\n</think>\n\nHello."}
REASONED = {"role": "assistant", "content": "Hello.", "reasoning_content": "second\n"}
PARTS = {"role": "user", "content": [{"type": "text", "text": " one "}, {"type": "image"}, {"type": "text", "text": "two"}]}

CONVERSATIONS = {
    "user": {"messages": [HI]},
    "system": {"messages": [SYSTEM, HI]},
    "turns": {"messages": [HI, HELLO, AGAIN]},
    "system and turns": {"messages": [SYSTEM, HI, HELLO, AGAIN, HELLO]},
    "no messages": {"messages": []},
    "two users": {"messages": [HI, AGAIN]},
    "odd role": {"messages": [{"role": "critic", "content": "No."}, HI]},
    "tools": {"messages": [HI], "tools": [WEATHER, ADD]},
    "tools and system": {"messages": [SYSTEM, HI, HELLO, AGAIN], "tools": [WEATHER]},
    "call": {"messages": [HI, ASKED], "tools": [WEATHER]},
    "call and result": {"messages": [SYSTEM, HI, ASKED, ANSWERED], "tools": [WEATHER, ADD]},
    "call, result, answer": {"messages": [HI, ASKED, ANSWERED, HELLO, AGAIN], "tools": [WEATHER]},
    "two calls": {"messages": [HI, ASKED_TWICE, ANSWERED_ADD, ANSWERED_LAST, HELLO], "tools": [WEATHER, ADD]},
    "call without tools": {"messages": [HI, ASKED, ANSWERED]},
    "thought": {"messages": [HI, THOUGHT, AGAIN, THOUGHT]},
    "reasoned": {"messages": [HI, REASONED, AGAIN, REASONED]},
    "thought and call": {"messages": [HI, dict(ASKED, reasoning_content="third"), ANSWERED], "tools": [WEATHER]},
    "parts": {"messages": [SYSTEM, PARTS]},
    "thinking off": {"messages": [SYSTEM, HI], "enable_thinking": False},
    "thinking on": {"messages": [HI, REASONED, AGAIN], "enable_thinking": True, "thinking": True},
    "tools in the user's": {"messages": [SYSTEM, HI, ASKED, ANSWERED], "tools": [WEATHER], "tools_in_user_message": False,
                            "date_string": "26 Jul 2024", "builtin_tools": ["code_interpreter", "brave_search"]},
    "documents": {"messages": [HI], "documents": [{"title": "A", "text": "a b"}, {"title": "B", "text": "c"}]},
    "reasoning effort": {"messages": [SYSTEM, HI], "reasoning_effort": "high", "xml_tools": [ADD], "python_tools": []},
}


def in_folder(folder):
    return [(path.stem, path.read_text()) for path in sorted(Path(folder).glob("*.jinja"))]


def trl_templates():
    """TRL carries the templates of many publishers."""
    found = importlib.util.find_spec("trl")
    return in_folder(Path(found.origin).parent / "chat_templates") if found else []


def packaged_templates(offline):
    """Those of published.py, and whether they were there."""
    published.offline = offline
    try:
        return published.chat_templates(), True
    except published.NotFetched as error:
        print(f"{'LEFT OUT' if offline else 'NOT RUN'}: the templates of llama.cpp, unsloth and SmolLM2: {error}", flush=True)
        return [], False


def lines():
    for name, line in CONVERSATIONS.items():
        yield name, line
        yield name + ", no generation prompt", dict(line, add_generation_prompt=False)


def expected(template, line):
    """transformers' text, or the exception."""
    line = copy.deepcopy(line)  # jinja2's indent changes a list
    arguments = {"add_generation_prompt": True, **SPECIAL, **line}
    try:
        texts, _ = chat_template_utils.render_jinja_template([arguments.pop("messages")], chat_template=template, **arguments)
        texts[0].encode()
        return texts[0]
    except Exception as error:  # whatever a template does wrong, hone must call an error too
        return error


def render(hone, template, requests):
    """hone's answers to lines; a template that hone cannot load fails each."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "tokenizer.json").symlink_to(REPOSITORY / "configs/quickstart/tokenizer.json")
        (Path(folder) / "tokenizer_config.json").write_text(json.dumps(SPECIAL))
        (Path(folder) / "chat_template.jinja").write_bytes(template.encode())
        command = [hone, "tokenize", "--model", folder, "--chat", "--chat-date", DATE]
        done = subprocess.run(command, input="".join(json.dumps(r) + "\n" for r in requests), capture_output=True, text=True)
    answers = [json.loads(answer) for answer in done.stdout.splitlines()]
    if not answers and done.returncode == 3:
        answers = [{"error": done.stderr}] * len(requests)
    if len(answers) != len(requests):
        raise RuntimeError(f"hone ended with {done.returncode}: {done.stderr}\n{template}")
    return answers


def compare(hone, name, template, requests, report):
    """How many of the requests differ."""
    wrong = failed = 0
    for (kind, request), answer in zip(requests, render(hone, template, [r for _, r in requests])):
        want = expected(template, request)
        failed += isinstance(want, Exception)
        if not isinstance(want, Exception) and " at 0x" in want.lower():
            continue  # an address, which hone does not print
        if ("error" in answer) != isinstance(want, Exception) or answer.get("text", want) != want:
            wrong += 1
            if wrong <= 2:
                report(f"{name}: {kind}:\n  transformers: {want!r}\n  hone:         {answer.get('text', answer)!r}")
    return wrong, failed


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("hone", nargs="?", default=os.environ.get("HONE", str(REPOSITORY / "build/release/hone")))
    parser.add_argument("--templates", nargs="+", metavar="FOLDER")
    parser.add_argument("--count", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--offline", action="store_true", help="only what is in the cache")
    args = parser.parse_args()
    chat_template_utils.datetime = FixedDate
    total, whole = 0, True
    if args.templates:
        templates = [template for folder in args.templates for template in in_folder(folder)]
    else:
        packaged, whole = packaged_templates(args.offline)
        templates = [*in_folder(Path(__file__).parent / "templates"), *trl_templates(), *packaged]
    for name, template in templates:
        requests = list(lines())
        wrong, failed = compare(args.hone, name, template, requests, print)
        print(f"{name}: {len(requests)} conversations, {failed} of them errors in both, {wrong} differ", flush=True)
        total += wrong
    print(f"{len(templates)} templates, {total} conversations differ")
    both = wrong_templates = 0
    for i in range(args.count):
        template = random_template(random.Random(args.seed * 1_000_003 + i))
        wrong, failed = compare(args.hone, f"drawn {i}: {template!r}", template, [("variables", VARIABLES)], print)
        both += failed
        wrong_templates += wrong > 0
    print(f"{args.count} drawn templates (seed {args.seed}): {both} errors in both, {wrong_templates} differ")
    return total + wrong_templates + (not whole and not args.offline)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
