"""Writes policy/text/unicode_tables.inc: what Hugging Face's tokenizers take for letters, digits, punctuation, …

usage: unicode_tables.py > policy/text/unicode_tables.inc      (needs: tokenizers)
Their parts know Unicode of different ages (Oniguruma, Rust's standard library and three crates), so each property is
read off the part that asks for it, one code point at a time.
"""
from tokenizers import Regex, normalizers, pre_tokenizers

CODE_POINTS = [code for code in range(0x110000) if not 0xD800 <= code < 0xE000]


def apart(pre_tokenizer):
    """Code points that part two letters. None of the properties asked for holds 'a'."""
    return [c for c in CODE_POINTS if len(pre_tokenizer.pre_tokenize_str(f"a{chr(c)}a")) > 1]


def matched(pattern):
    split = pre_tokenizers.Split(Regex(pattern), "removed")
    return [c for c in CODE_POINTS if not split.pre_tokenize_str(chr(c))]


def dropped(normalizer):
    return [c for c in CODE_POINTS if not normalizer.normalize_str(chr(c))]


def bert(**on):
    flags = dict(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False)
    return normalizers.BertNormalizer(**{**flags, **on})


def words():
    whitespace = pre_tokenizers.Whitespace()
    return [c for c in CODE_POINTS if len(whitespace.pre_tokenize_str(f"a{chr(c)}a")) == 1]


def ranges(codes):
    spans = []
    for code in codes:
        if spans and spans[-1][1] == code - 1:
            spans[-1][1] = code
        else:
            spans.append([code, code])
    return spans


def lowercase():
    """Code points whose lower case is one other code point, as spans of one distance."""
    lower = normalizers.Lowercase()
    spans = []
    for code in CODE_POINTS:
        text = lower.normalize_str(chr(code))
        if len(text) != 1 or ord(text) == code:
            continue
        distance = ord(text) - code
        if spans and spans[-1][1] == code - 1 and spans[-1][2] == distance:
            spans[-1][1] = code
        else:
            spans.append([code, code, distance])
    return spans


def put(name, kind, rows, shape):
    print(f"constexpr {kind} {name}[] = {{")
    line = "   "
    for row in rows:
        cell = " " + shape(row) + ","
        if len(line + cell) > 100:
            print(line)
            line = "   "
        line += cell
    print(f"{line}\n}};")


def main():
    print("// Written by tests/parity/unicode_tables.py; not to be edited by hand.")
    print("// clang-format off")
    span = lambda row: f"{{{row[0]:#x}, {row[1]:#x}}}"
    for name, codes in [
        ("kLetters", matched(r"\p{L}")),
        ("kNumbers", matched(r"\p{N}")),
        ("kDigits", apart(pre_tokenizers.Digits(individual_digits=True))),
        ("kPunctuationMarks", apart(pre_tokenizers.Punctuation())),
        ("kWordCharacters", words()),
        ("kCombiningMarks", dropped(normalizers.StripAccents())),
        ("kNonspacingMarks", dropped(bert(strip_accents=True))),
        ("kControls", dropped(bert(clean_text=True))),
    ]:
        put(name, "CodePoints", ranges(codes), span)
    put("kLowercase", "CaseShift", lowercase(), lambda row: f"{{{row[0]:#x}, {row[1]:#x}, {row[2]}}}")
    print("// clang-format on")


if __name__ == "__main__":
    main()
