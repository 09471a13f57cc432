// The Jinja interpreter, through the door of a chat template. What is expected is jinja2's output;
// tests/parity/chat_parity.py draws many more templates.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "common/error.h"
#include "policy/text/chat_template.h"

namespace hone {
namespace {

using ::testing::HasSubstr;

std::string Render(const std::string& source) {
  ChatOptions options;
  options.variables = OrderedJson::parse(
      R"({"d": {"b": 1, "a": [1, 2], "items": "i"}, "words": ["pear", "Apple", "fig"],)"
      R"( "text": "  one two\nthree  ", "n": 7, "x": 2.5, "s": "größer 東京"})");
  const OrderedJson messages =
      OrderedJson::parse(R"([{"role": "user", "content": "a"}, {"role": "tool", "n": 2}])");
  return ChatTemplate::Parse(source, "t")->Render(messages, options);
}

std::string ErrorOf(const std::string& source) {
  try {
    return "rendered: " + Render(source).substr(0, 100);
  } catch (const Error& error) {
    return error.what();
  }
}

struct Case {
  const char* source;
  const char* text;
};

void Expect(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.source);
    std::string text;
    ASSERT_NO_THROW(text = Render(c.source));
    EXPECT_EQ(text, c.text);
  }
}

void ExpectErrors(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.source).substr(0, 100));
    EXPECT_THAT(ErrorOf(c.source), HasSubstr(c.text));
  }
}

TEST(JinjaTest, WhiteSpaceAroundTags) {
  Expect({{"a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
          {"a\n  {{ n }}\nb\n\n", "a\n  7\nb\n"},
          {"a {%- if true -%} \n b {%- endif -%} c", "abc"},
          {"  {%+ if true +%}\nb{% endif %}", "  \nb"},
          {"x  {# c #}\n y", "x   y"},
          {"  {#- c -#}  y", "y"},
          {"{{- n -}} \n z", "7z"},
          {"a\r\nb\rc", "a\nb\nc"},
          {"{% raw %} {{ x }} {% endraw %}\n.", " {{ x }} ."},
          {" x {% raw -%} {{ x {%- endraw %}.", " x {{ x."},
          {"{{ '}}' }}{{ {'a': {}} }}", "}}{'a': {}}"}});
}

TEST(JinjaTest, Literals) {
  Expect(
      {{"{{ 1_000 }} {{ 0x1F }} {{ 0b101 }} {{ 1.5e3 }} {{ 1e20 }} {{ 1e16 }} {{ 0.1 + 0.2 }}",
        "1000 31 5 1500.0 1e+20 1e+16 0.30000000000000004"},
       {R"({{ 'a\n\x41\u00e9\'' "b" }})", "a\nA\u00e9'b"},
       {R"({{ '\d' }})", "\\d"},
       {"{{ [1, 'a', none, true, 2.0] }} {{ (1,) }} {{ () }}", "[1, 'a', None, True, 2.0] (1,) ()"},
       {"{{ {'a': 1, 2: 'b', 'a': 3} }}", "{'a': 3, 2: 'b'}"},
       {R"({{ ["it's", '"', '\t\\'] }})", R"(["it's", '"', '\t\\'])"},
       {"{{ none }}{{ missing }}{{ [missing] }}", "None[Undefined]"}});
}

TEST(JinjaTest, Operators) {
  Expect(
      {{"{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 7 / 2 }} {{ 2 ** 3 ** 2 }}",
        "7 3 -4 2 3.5 64"},
       {"{{ -2 ** 2 }} {{ 2 ** -1 }} {{ -7.5 // 2 }} {{ 1 == 1.0 == true }}", "4 0.5 -4.0 True"},
       {"{{ 1 < 2 < 3 }} {{ 3 > 2 > 2 }} {{ 'b' in 'abc' }} {{ 2 not in [1] }}",
        "True False True True"},
       {"{{ 1 ~ 'a' ~ none ~ missing }} {{ 'a' * 3 }} {{ [1] + [2] }}", "1aNone aaa [1, 2]"},
       {"{{ 1 or 2 }} {{ 0 or '' or 'x' }} {{ 1 and 0 }} {{ not '' }}", "1 x 0 True"},
       {"{{ 'a' if n > 5 else 'b' }}{{ 'c' if n < 5 }}", "a"},
       {"{{ '%s-%d|%5.2f|%-4s|%04d' % ('a', 3.9, x, 'b', 7) }}", "a-3| 2.50|b   |0007"},
       {"{{ '{} {name!r:>5} {0[0]}'.format('yz', name='q') if false else '{}{n}'.format(1, n=2) }}",
        "12"},
       {"{{ [1, [2]] == [1, [2]] }} {{ (1,) == [1] }} {{ [1, 2] < [1, 3] }}", "True False True"}});
  ExpectErrors({{"{{ 1 + 'a' }}", "'+'"},
                {"{{ missing + 1 }}", "'missing' is undefined"},
                {"{{ 1 / 0 }}", "zero"},
                {"{{ 'a' < 1 }}", "'<'"},
                {"{{ 9223372036854775807 + 1 }}", "64 bits"},
                {"{{ 2 ** 64 }}", "64 bits"},
                {"{{ '%s %s' % 1 }}", "too few"},
                {"{{ 'a' % 1 }}", "more values"}});
}

TEST(JinjaTest, ItemsAndSlices) {
  Expect({{"{{ d.b }} {{ d['items'] }} {{ d.missing is defined }} {{ words[-1] }} {{ words[9] }}.",
           "1 i False fig ."},
          {"{{ d.items() | list }}", "[('b', 1), ('a', [1, 2]), ('items', 'i')]"},
          {"{{ words[1:] }} {{ words[::-1] }} {{ words[-2:-1] }} {{ words[5:] }}",
           "['Apple', 'fig'] ['fig', 'Apple', 'pear'] ['Apple'] []"},
          {"{{ s[2] }}{{ s[-1] }}{{ s[:3] }}{{ s[::-2] }}", "ö京grö京 eög"},
          {"{{ messages[0].content.upper() }} {{ (1, 2)[0] }} {{ range(3, 9)[2:] }}",
           "A 1 range(5, 9)"}});
  ExpectErrors({{"{{ missing.x }}", "undefined"}, {"{{ n[1:] }}", "sliced"}});
}

TEST(JinjaTest, Loops) {
  Expect(
      {{"{% for w in words %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ w[0] }}"
        "{{ ',' if not loop.last }}{% endfor %}",
        "103p,212A,321f"},
       {"{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "b=1;a=[1, 2];items=i;"},
       {"{% for i in range(9) if i % 2 %}{{ i }}/{{ loop.length }} {% else %}none{% endfor %}",
        "1/4 3/4 5/4 7/4 "},
       {"{% for i in [] %}x{% else %}none{% endfor %}", "none"},
       {"{% for i in range(9) %}{% if i == 2 %}{% continue %}{% endif %}{% if i == 4 %}{% break %}"
        "{% endif %}{{ i }}{% endfor %}",
        "013"},
       {"{% for i in 'aé' %}{{ loop.previtem }}{{ i }}{{ loop.nextitem }}|{% endfor %}", "aé|aé|"},
       {"{% for i in [1, 1, 2] %}{{ loop.changed(i) }}{{ loop.cycle('x', 'y') }}{% endfor %}",
        "TruexFalseyTruex"},
       {"{% for i in [1, [2, [3]]] recursive %}{{ loop(i) if i is iterable else i }}"
        "{{ loop.depth }}{% endfor %}",
        "11223321"},
       {"{% set v = 0 %}{% for i in [1] %}{% set v = 1 %}{% endfor %}{{ v }}", "0"},
       {"{% for i in [1] %}{% endfor %}{{ i is defined }}{{ loop is defined }}", "FalseFalse"},
       {"{% for i in missing %}x{% endfor %}.", "."}});
  ExpectErrors({{"{% for a, b in [[1]] %}{% endfor %}", "expected 2 values"},
                {"{% for a in none %}{% endfor %}", "NoneType"},
                {"{% break %}", "outside"},
                {"{% for i in [1] %}{{ loop([]) }}{% endfor %}", "recursive"}});
}

TEST(JinjaTest, VariablesAndScopes) {
  Expect({{"{% set a, b = 1, (2, 3) %}{{ a }}{{ b }}", "1(2, 3)"},
          {"{% set v %}a{{ n }}{% endset %}{{ v }}{% set v | upper %}b{% endset %}{{ v }}", "a7B"},
          {"{% set ns = namespace(v=0, d={}) %}{% for i in [1, 2] %}{% set ns.v = ns.v + i %}"
           "{% endfor %}{{ ns.v }} {{ ns['v'] }}",
           "3 3"},
          {"{% if true %}{% set v = 1 %}{% endif %}{{ v }}", "1"},
          {"{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}{{ a is defined }}", "3False"},
          {"{% filter upper %}a{{ n }}b{% endfilter %}", "A7B"},
          {"{% generation %}{% set q = 1 %}x{% endgeneration %}{{ q is defined }}", "xFalse"},
          {"{{ dict(a=1, **{'b': 2}) }}{{ dict([['k', 1]]) }}", "{'a': 1, 'b': 2}{'k': 1}"}});
  ExpectErrors({{"{% set d.x = 1 %}", "namespace"},
                {"{% set ns = namespace() %}{% set ns._x = 1 %}", "'_'"},
                {"{% set true = 1 %}", "assign"}});
}

TEST(JinjaTest, Macros) {
  Expect({{"{% macro m(a, b=a ~ '!') %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }} {{ m(b=2, a=3) }}",
           "11! 32"},
          {"{% macro m(a) %}{{ a is defined }}{% endmacro %}{{ m() }}", "False"},
          {"{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, x=2) }}", "(1,){'x': 2}"},
          {"{% macro m(a) %}<{{ caller(a) }}>{% endmacro %}{% call(z) m(5) %}{{ z }}!{% endcall %}",
           "<5!>"},
          {"{% set v = 1 %}{% macro m() %}{{ v }}{% endmacro %}{% set v = 2 %}{{ m() }}", "2"},
          {"{% macro f(i) %}{{ i }}{% if i %}{{ f(i - 1) }}{% endif %}{% endmacro %}{{ f(3) }}",
           "3210"}});
  ExpectErrors({{"{% macro m() %}{% endmacro %}{{ m(1) }}", "takes 0 arguments"},
                {"{% macro m() %}{% endmacro %}{{ m(x=1) }}", "'x'"},
                {"{% macro m() %}{{ caller() }}{% endmacro %}{{ m() }}", "caller"}});
}

TEST(JinjaTest, Filters) {
  Expect(
      {{"{{ text | trim }}|{{ 'xxaxx' | trim('x') }}|{{ 'hello wOrld-x' | title }}",
        "one two\nthree|a|Hello World-X"},
       {"{{ words | join(', ') }} {{ words | sort }} {{ words | sort(case_sensitive=true) }}",
        "pear, Apple, fig ['Apple', 'fig', 'pear'] ['Apple', 'fig', 'pear']"},
       {"{{ [3, 1, 2] | sort(reverse=true) | first }} {{ words | last }} {{ [] | first }}",
        "3 fig "},
       {"{{ missing | default('d') }}{{ '' | default('e', true) }}{{ none | d('f') }}", "deNone"},
       {"{{ d | length }} {{ s | length }} {{ d | dictsort }}",
        "3 9 [('a', [1, 2]), ('b', 1), ('items', 'i')]"},
       {"{{ messages | selectattr('role', 'equalto', 'user') | map(attribute='content') | list }}",
        "['a']"},
       {"{{ messages | rejectattr('n') | list | length }} {{ [0, 1, 2] | select('odd') | list }}",
        "1 [1]"},
       {"{{ s | upper }} {{ 'ﬁn ŉ' | title }} {{ 'İ' | lower | length }}", "GRÖSSER 東京 FIn ʼN 2"},
       {"{{ ['a', 'b'] | map('upper') | join }} {{ [1, 1, 2] | unique | list }}", "AB [1, 2]"},
       {"{{ '12' | int + 1 }} {{ 'x' | int(5) }} {{ '2.9' | int }} {{ '1e2' | float }}",
        "13 5 2 100.0"},
       {"{{ 2.675 | round(2) }} {{ 2.5 | round }} {{ 2.1 | round(method='ceil') }} {{ -3 | abs }}",
        "2.67 2.0 3.0 3"},
       {"{{ [1, 2.5] | sum }} {{ [[1], 2] | string }} {{ 'abc' | reverse }}", "3.5 [[1], 2] cba"},
       {"{{ 'a\nb\n\nc' | indent(2) }}|{{ 'a' | indent(1, true) }}", "a\n  b\n\n  c| a"},
       {"{{ '<a>' | e }} {{ ('<a>' | safe) + '<' }} {{ 'aXa' | replace('a', 'b', 1) }}",
        "&lt;a&gt; <a>&lt; bXa"},
       {"{{ [1, 2, 3] | batch(2, 0) | list }} {{ ['b', 'A'] | min }}", "[[1, 2], [3, 0]] A"},
       {"{% set g = [1, 2] | map('string') %}{{ g | list }}{{ g | list }}", "['1', '2'][]"}});
  ExpectErrors({{"{{ 1 | nope }}", "no filter 'nope'"},
                {"{{ 1 | random }}", "not supported"},
                {"{{ d | tojson(indent=2, x=1) }}", "'x'"},
                {"{{ [1, 'a'] | sort }}", "'<'"},
                {"{{ [1] | map('upper') }}", "generator"}});
  Expect({{"{% if false %}{{ 1 | nope }}{% endif %}{{ 'nope' is filter }}", "False"}});
}

TEST(JinjaTest, JsonIsWrittenAsPythonDoes) {
  Expect({{"{{ d | tojson }}", R"({"b": 1, "a": [1, 2], "items": "i"})"},
          {"{{ d | tojson(sort_keys=true, separators=(',', ':')) }}",
           R"({"a":[1,2],"b":1,"items":"i"})"},
          {"{{ {'a': [1, {}], 'b': []} | tojson(indent=2) }}",
           "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}"},
          {R"({{ 'é<"\n\x01\x7f' | tojson }})", "\"é<\\\"\\n\\u0001\x7f\""},
          {"{{ '\xf0\x9f\x99\x82é' | tojson(ensure_ascii=true) }}", R"("\ud83d\ude42\u00e9")"},
          {"{{ {1: true, none: 1.0} | tojson }}", R"({"1": true, "null": 1.0})"}});
  ExpectErrors({{"{{ missing | tojson }}", "undefined"}, {"{{ [range] | tojson }}", "no JSON"}});
}

TEST(JinjaTest, Tests) {
  Expect({{"{{ n is number }}{{ n is string }}{{ d is mapping }}{{ words is sequence }}"
           "{{ true is integer }}{{ 1.0 is float }}{{ none is none }}",
           "TrueFalseTrueTrueFalseTrueTrue"},
          {"{{ 4 is even }}{{ 4 is divisibleby 3 }}{{ 1 is in [1] }}{{ 1 is eq 1 }}{{ 1 is not gt "
           "2 }}",
           "TrueFalseTrueTrueTrue"},
          {"{{ d.keys is callable }}{{ missing is undefined }}{{ 'A' is upper }}{{ true is true }}",
           "TrueTrueTrueTrue"}});
}

TEST(JinjaTest, Methods) {
  Expect(
      {{"{{ text.strip() }}|{{ 'a,b,c'.split(',', 1) }}|{{ ' a  b '.split() }}",
        "one two\nthree|['a', 'b,c']|['a', 'b']"},
       {"{{ 'a.b.c'.rsplit('.', 1) }}{{ 'abc'.startswith(('x', 'a')) }}{{ 'abc'.endswith('c', 0, "
        "2) }}",
        "['a.b', 'c']TrueFalse"},
       {"{{ s.find('東') }} {{ s.find('x') }} {{ s.count('') }} {{ 'aXbX'.replace('X', '-', 1) }}",
        "7 -1 10 a-bX"},
       {"{{ d.get('b') }}{{ d.get('z', 3) }}{{ d.get('z') }} {{ d.keys() }}",
        "13None dict_keys(['b', 'a', 'items'])"},
       {"{{ '-'.join(words) }} {{ 'o'.center(4, '*') }} {{ 'a\n\nb'.splitlines() }}",
        "pear-Apple-fig *o** ['a', '', 'b']"},
       {"{{ ''.join(['xax'.strip('x'), 'A b'.title(), 'ÄÖ'.lower(), 'ab'.removeprefix('a')]) }}",
        "aA Bäöb"}});
  ExpectErrors({{"{{ words.append(1) }}", "not open to templates"},
                {"{{ d.update({}) }}", "not open to templates"},
                {"{{ ''.__class__.x }}", "not open to templates"},
                {"{{ 'a'.index('b') }}", "not in"},
                {"{{ 'a'.nope() }}", "'nope'"}});
}

// What a hostile template does must end soon, in an error.
TEST(JinjaTest, HostileTemplatesEndInAnError) {
  const auto repeat = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) all += text;
    return all;
  };
  const std::vector<std::string> sources = {
      "{{ range(1000000000) | list }}",
      "{{ 'x' * 1000000000 }}",
      "{{ [1] * 1000000000 }}",
      "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% "
      "endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% "
      "endfor %}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(300) %}{% set ns.s = [ns.s, ns.s] %}{% "
      "endfor %}{{ ns.s }}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(90) %}{% set ns.s = [ns.s, ns.s] %}{% "
      "endfor %}{{ ns.s | tojson }}",
      "{% set ns = namespace(s=[1]) %}{% for i in range(90) %}{% set ns.s = [ns.s, ns.s] %}{% "
      "endfor %}{{ ns.s == ns.s + [] or ns.s < ns.s }}",
      "{% set ns = namespace() %}{% set ns.s = ns %}{{ ns }}",
      "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
      "{% macro f(x) %}{{ f(x ~ x) ~ f(x) }}{% endmacro %}{{ f('a') }}",
      "{% for i in [1] recursive %}{{ loop([i]) }}{% endfor %}",
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
      "{% for a in range(99999) %}" + std::string(100000, 'x') + "{% endfor %}",
      "{% set s = 'a' * 30000000 %}{% for i in range(99999) %}{{ s.find('aaaaab') }}{% endfor %}",
      "{% set s = 'a' * 9000000 %}{{ s.rfind('b' ~ 'a' * 4000000) }}",
      "{% set s = 'a' * 9000000 %}{{ s.rfind('a' * 4000000 ~ 'b') }}",
      "{{ ('a' * 1000000).replace('a', 'b' * 1000000) }}",
      "{{ ('a' * 1000000).replace('', 'b' * 1000) }}",
      "{{ '%999999999d' % 1 }}",
      "{{ '{:999999999}'.format(1) }}",
      "{{ 'a'.center(999999999) }}",
      "{{ 'a' | indent(999999999) }}",
      "{{ [1] | batch(999999999, 0) | list }}",
      "{{ d | tojson(indent=999999999) }}",
      "{{ 9 ** 9 ** 9 }}",
      "{{ -9223372036854775808 // -1 }}{{ 9223372036854775807 + 1 }}",
      "{{ range(-9223372036854775807, 9223372036854775807) }}",
      repeat("{% if 1 %}", 6000) + repeat("{% endif %}", 6000),
      repeat("{% for i in [1] %}", 6000) + repeat("{% endfor %}", 6000),
      "{{ " + repeat("(", 60000) + "1" + repeat(")", 60000) + " }}",
      "{{ " + repeat("[", 60000),
      "{{ " + repeat("-", 60000) + "1 }}",
      "{{ " + repeat("not ", 60000) + "1 }}",
      "{{ 1" + repeat(" + 1", 60000) + " }}",
      "{{ d" + repeat(".a", 60000) + " }}",
      "{{ d" + repeat("|list", 40000) + " }}",
      "{{ 1" + repeat(" if 1 else 1", 20000) + " }}",
      "{% set " + repeat("(", 60000),
      std::string(1 << 20, 'x'),
      repeat("{#", 100000),
      "{% raw %}" + repeat("{% ", 80000),
  };
  for (const std::string& source : sources) {
    SCOPED_TRACE(source.substr(0, 160));
    const auto begin = std::chrono::steady_clock::now();
    EXPECT_THAT(ErrorOf(source), HasSubstr("t: line"));
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(taken.count(), 20);
  }
}

TEST(JinjaTest, BrokenTemplatesAreErrors) {
  ExpectErrors({{"{{", "no end"},
                {"{% if x", "no end"},
                {"{# x", "no end"},
                {"{% raw %}", "endraw"},
                {"{{ 'a }}", "no end"},
                {"{% if x %}", "endif"},
                {"{% endif %}", "no block"},
                {"{% for %}{% endfor %}", "expected"},
                {"{% for x of y %}{% endfor %}", "'in'"},
                {"{{ }}", "an expression"},
                {"{{ 1 2 }}", "expected"},
                {"{{ (1] }}", "unexpected ']'"},
                {"{{ a $ b }}", "unexpected character '$'"},
                {"{{ f(a=1, 2) }}", "without a name"},
                {"{{ 99999999999999999999 }}", "64 bits"},
                {"{% nope %}", "no tag 'nope'"},
                {"{% call x %}{% endcall %}", "a call"},
                {"{{ '\\ud800' }}", "hexadecimal"},
                {"{% elif x %}", "no block"}});
}

}  // namespace
}  // namespace hone
