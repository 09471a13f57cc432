#include "reward/math/parse.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <set>

#include "reward/answer.h"
#include "reward/math/lexer.h"

namespace hone::math {
namespace {

const std::set<std::string, std::less<>> kFunctions = {
    "sin",  "cos",   "tan",  "cot",  "sec",  "csc",  "arcsin", "arccos", "arctan",
    "asin", "acos",  "atan", "sinh", "cosh", "tanh", "ln",     "log",    "lg",
    "exp",  "floor", "ceil", "gcd",  "lcm",  "max",  "min"};
const std::set<std::string, std::less<>> kGreek = {
    "alpha", "beta",     "gamma",  "delta",  "epsilon", "varepsilon", "zeta",  "eta",
    "theta", "vartheta", "kappa",  "lambda", "mu",      "nu",         "xi",    "rho",
    "sigma", "tau",      "phi",    "varphi", "chi",     "psi",        "omega", "Gamma",
    "Delta", "Theta",    "Lambda", "Sigma",  "Phi",     "Psi",        "Omega", "ell"};
const std::map<std::string, Relation, std::less<>> kRelations = {
    {"=", Relation::kEqual},
    {"==", Relation::kEqual},
    {"equiv", Relation::kEqual},
    {"<", Relation::kLess},
    {"lt", Relation::kLess},
    {"<=", Relation::kLessEqual},
    {"le", Relation::kLessEqual},
    {"leq", Relation::kLessEqual},
    {"leqslant", Relation::kLessEqual},
    {">", Relation::kGreater},
    {"gt", Relation::kGreater},
    {">=", Relation::kGreaterEqual},
    {"ge", Relation::kGreaterEqual},
    {"geq", Relation::kGreaterEqual},
    {"geqslant", Relation::kGreaterEqual},
    {"!=", Relation::kNotEqual},
    {"ne", Relation::kNotEqual},
    {"neq", Relation::kNotEqual},
    {"approx", Relation::kApprox},
    {"in", Relation::kIn}};
// Words of one or two letters that are units after a number, and longer ones that may stand close
// to it ("3cm"). A longer word that stands apart is a unit whatever it is.
const std::set<std::string, std::less<>> kUnits = {
    "cm",     "mm",      "km",     "kg",         "mg",     "ml",     "mL",      "ft",     "in",
    "lb",     "lbs",     "oz",     "hr",         "hrs",    "min",    "mins",    "sec",    "secs",
    "mph",    "Hz",      "kHz",    "kJ",         "kW",     "Pa",     "kPa",     "mol",    "rad",
    "deg",    "yd",      "mi",     "pm",         "am",     "inches", "inch",    "feet",   "foot",
    "meters", "meter",   "metres", "miles",      "mile",   "cents",  "dollars", "dollar", "degrees",
    "degree", "percent", "pct",    "percentage", "hours",  "hour",   "minutes", "minute", "seconds",
    "second", "days",    "day",    "weeks",      "years",  "units",  "unit",    "square", "cubic",
    "sq",     "USD",     "EUR",    "euros",      "pounds", "grams",  "radians"};

std::string Lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool IsSeparatorWord(const Token& token) {
  if (token.kind != TokenKind::kWord && token.kind != TokenKind::kText) return false;
  const std::string word = PlainText(token.text);
  return word == "and" || word == "or" || word == "and/or";
}

struct Failure {};  // of the grammar: the answer is a text

class Parser {
 public:
  Parser(std::vector<Token> tokens, Arena* arena, Budget* budget)
      : tokens_(std::move(tokens)), arena_(arena), budget_(budget) {}

  const Node* Whole() {
    const Node* value = List();
    if (peek().kind != TokenKind::kEnd) throw Failure();
    return value;
  }

 private:
  struct Deeper {  // one level of nesting
    explicit Deeper(Parser* owner) : parser(owner) {
      if (++owner->depth_ > kMaxDepth) {
        owner->budget_->spent = true;
        throw Failure();
      }
    }
    ~Deeper() { --parser->depth_; }
    Parser* parser;
  };

  const Token& peek(size_t ahead = 0) const {
    return tokens_[std::min(at_ + ahead, tokens_.size() - 1)];
  }
  const Token& Next() { return tokens_[std::min(at_++, tokens_.size() - 1)]; }
  bool Take(std::string_view symbol) {
    if (!peek().Is(symbol)) return false;
    ++at_;
    return true;
  }
  bool TakeCommand(std::string_view name) {
    if (!peek().IsCommand(name)) return false;
    ++at_;
    return true;
  }
  void Expect(std::string_view symbol) {
    if (!Take(symbol)) throw Failure();
  }
  Node* New(Op op, std::vector<const Node*> args = {}) {
    if (!budget_->Take()) throw Failure();
    return arena_->New(op, std::move(args));
  }
  Node* Named(Op op, std::string name, std::vector<const Node*> args = {}) {
    Node* node = New(op, std::move(args));
    node->name = std::move(name);
    return node;
  }

  // ---- lists and relations -------------------------------------------------------------------

  enum class Part { kNone, kComma, kSemicolon };
  Part TakeSeparator() {
    Part part = Part::kNone;
    saw_or_ = false;
    while (true) {
      if (Take(",")) {
        part = part == Part::kNone ? Part::kComma : part;
      } else if (Take(";")) {
        part = Part::kSemicolon;
      } else if (IsSeparatorWord(peek()) || peek().IsCommand("lor") || peek().IsCommand("vee")) {
        saw_or_ = PlainText(Next().text) != "and";
        part = part == Part::kNone ? Part::kComma : part;
      } else {
        return part;
      }
    }
  }

  // Elements between commas; a semicolon parts groups, and groups of several become ordered lists.
  const Node* List() {
    const Deeper level(this);
    std::vector<const Node*> groups, group = {RelationChain()};
    bool semicolons = false, any_or = false;
    const auto close = [&] {
      if (group.size() == 1) {
        groups.push_back(group[0]);
      } else {
        Node* list = New(Op::kList, group);
        list->ordered = true;
        groups.push_back(list);
      }
    };
    for (Part part = TakeSeparator(); part != Part::kNone; part = TakeSeparator()) {
      any_or |= saw_or_;
      if (AtClose()) break;
      if (part == Part::kSemicolon) {
        semicolons = true;
        close();
        group.clear();
      }
      group.push_back(RelationChain());
      if (group.size() > kMaxElements || groups.size() > kMaxElements) {
        budget_->spent = true;
        throw Failure();
      }
    }
    if (!semicolons && group.size() == 1) return group[0];
    if (semicolons) close();
    return Named(Op::kList, any_or ? "or" : "", semicolons ? groups : group);
  }

  bool AtClose() const {
    const Token& token = peek();
    return token.kind == TokenKind::kEnd || token.Is(")") || token.Is("]") || token.Is("}") ||
           token.Is("\\}") || token.IsCommand("rangle");
  }

  const Relation* TakeRelation() {
    const Token& token = peek();
    if (token.kind != TokenKind::kSymbol && token.kind != TokenKind::kCommand) return nullptr;
    const auto found = kRelations.find(token.text);
    if (found == kRelations.end()) return nullptr;
    ++at_;
    return &found->second;
  }

  const Node* RelationChain() {
    const Node* first = Ratio();
    std::vector<const Node*> args = {first};
    std::vector<Relation> relations;
    while (const Relation* relation = TakeRelation()) {
      relations.push_back(*relation);
      args.push_back(Ratio());
    }
    if (relations.empty()) return first;
    Node* node = New(Op::kRelation, std::move(args));
    node->relations = std::move(relations);
    return node;
  }

  const Node* Ratio() {
    std::vector<const Node*> args = {SetExpression()};
    while (Take(":")) args.push_back(SetExpression());
    return args.size() == 1 ? args[0] : New(Op::kRatio, std::move(args));
  }

  const Node* SetExpression() {
    const Node* left = Sum();
    while (true) {
      if (TakeCommand("cup") ||
          (peek().kind == TokenKind::kWord && peek().text == "U" && Bracketed(left) && ++at_)) {
        left = New(Op::kUnion, {left, Sum()});
      } else if (TakeCommand("cap")) {
        left = New(Op::kIntersect, {left, Sum()});
      } else if (TakeCommand("setminus") || TakeCommand("backslash")) {
        left = New(Op::kWithout, {left, Sum()});
      } else {
        return left;
      }
    }
  }
  static bool Bracketed(const Node* node) {
    return node->op == Op::kBracket || node->op == Op::kUnion;
  }

  // ---- arithmetic ----------------------------------------------------------------------------

  const Node* Sum() {
    const Deeper level(this);
    const Node* left;
    if (TakeCommand("pm") || TakeCommand("mp")) {
      left = New(Op::kPlusMinus, {Product()});
    } else {
      left = Signed();
    }
    std::vector<const Node*> terms = {left};
    const auto sum = [&]() -> const Node* {
      return terms.size() == 1 ? terms[0] : New(Op::kAdd, terms);
    };
    while (true) {
      if (Take("+")) {
        terms.push_back(Product());
      } else if (Take("-")) {
        terms.push_back(New(Op::kNegate, {Product()}));
      } else if (TakeCommand("pm") || TakeCommand("mp")) {
        const Node* before = sum();
        terms = {New(Op::kPlusMinus, {before, Product()})};
      } else {
        return sum();
      }
    }
  }

  const Node* Signed() {
    bool negative = false;
    for (int signs = 0; peek().Is("+") || peek().Is("-"); ++signs) {
      if (signs > kMaxDepth) throw Failure();
      negative ^= Next().text == "-";
    }
    const Node* product = Product();
    return negative ? New(Op::kNegate, {product}) : product;
  }

  bool StartsFactor() const {
    const Token& token = peek();
    switch (token.kind) {
      case TokenKind::kNumber:
        return true;
      case TokenKind::kWord:
        return !IsSeparatorWord(token) && token.text != "U";
      case TokenKind::kText:
        return !IsSeparatorWord(token);
      case TokenKind::kSymbol:
        return token.text == "(" || token.text == "[" || token.text == "{" || token.text == "\\{" ||
               (token.text == "|" && bars_ == 0);
      case TokenKind::kCommand:
        return kFunctions.contains(token.text) || kGreek.contains(token.text) ||
               kAtoms.contains(token.text);
      case TokenKind::kEnd:
        return false;
    }
    return false;
  }
  inline static const std::set<std::string, std::less<>> kAtoms = {
      "frac",   "dfrac",     "tfrac",
      "cfrac",  "sqrt",      "binom",
      "dbinom", "tbinom",    "pi",
      "infty",  "lfloor",    "lceil",
      "mathbb", "emptyset",  "varnothing",
      "begin",  "langle",    "lvert",
      "sum",    "int",       "prod",
      "lim",    "overline",  "vec",
      "hat",    "bar",       "overrightarrow",
      "angle",  "triangle",  "circ",
      "imath",  "varnothing"};

  const Node* Product() {
    const Node* left = Factor(/*implied=*/false);
    while (true) {
      if (Take("*") || TakeCommand("cdot") || TakeCommand("times") || TakeCommand("ast")) {
        left = New(Op::kMultiply, {left, SignedFactor()});
      } else if (Take("/") || TakeCommand("div")) {
        // "1/2x" is (1/2)x, "1/2 1/2" a mixed number was read before.
        left = New(Op::kDivide, {left, SignedFactor()});
      } else if (StartsFactor()) {
        left = Implied(left);
      } else {
        return left;
      }
    }
  }

  // A number in front of a fraction of numbers is a mixed number: 2\frac12, 2 1/2.
  const Node* Implied(const Node* left) {
    const bool whole = left->op == Op::kNumber && left->decimals < 0 && at_ > 0 &&
                       tokens_[at_ - 1].kind == TokenKind::kNumber;
    if (peek().kind == TokenKind::kNumber) {
      // Two numbers side by side are no product: a mixed number, or of no grammar.
      if (!whole || !peek(1).Is("/") || peek(2).kind != TokenKind::kNumber) throw Failure();
      const Node* over = Number();
      ++at_;
      return New(Op::kAdd, {left, New(Op::kDivide, {over, Number()})});
    }
    const bool fraction = peek().kind == TokenKind::kCommand && peek().text.ends_with("frac");
    const Node* right = Factor(/*implied=*/true);
    if (whole && fraction && right->op == Op::kDivide && right->args[0]->op == Op::kNumber &&
        right->args[1]->op == Op::kNumber) {
      return New(Op::kAdd, {left, right});
    }
    return New(Op::kMultiply, {left, right});
  }

  const Node* SignedFactor() {
    const Deeper level(this);
    if (Take("-")) return New(Op::kNegate, {SignedFactor()});
    if (Take("+")) return SignedFactor();
    return Factor(false);
  }

  const Node* Factor(bool implied) {
    const Deeper level(this);
    const Node* base = Atom(implied);
    while (true) {
      if (peek().Is("^") || peek().Is("**")) {
        ++at_;
        base = Raised(base);
      } else if (peek().Is("!")) {
        ++at_;
        base = New(Op::kFactorial, {base});
      } else if (Take("%")) {
        base = New(Op::kPercent, {base});
      } else if (TakeCommand("circ")) {
        base = New(Op::kDegree, {base});
      } else if (peek().Is("_")) {
        base = Subscripted(base);
      } else if (Take("'")) {
        if (base->op != Op::kVariable) throw Failure();
        base = Named(Op::kVariable, base->name + "'");
      } else {
        return base;
      }
    }
  }

  const Node* Raised(const Node* base) {
    if (peek().Is("{") && peek(1).IsCommand("circ") && peek(2).Is("}")) {
      at_ += 3;
      return New(Op::kDegree, {base});
    }
    if (TakeCommand("circ")) return New(Op::kDegree, {base});
    if (TakeCommand("prime")) return Named(Op::kVariable, base->name + "'");
    return New(Op::kPower, {base, Exponent()});
  }

  // "x^12" is x^{12} in plain text and x^1·2 in LaTeX: nobody who writes it means the latter.
  const Node* Exponent() {
    const Deeper level(this);
    if (Take("-")) return New(Op::kNegate, {Exponent()});
    if (Take("+")) return Exponent();
    const Node* exponent = Atom(false);
    if (peek().Is("^") || peek().Is("**")) {
      ++at_;
      return New(Op::kPower, {exponent, Exponent()});
    }
    return exponent;
  }

  // The tokens of a subscript as one name.
  std::string SubscriptName() {
    std::string name;
    if (!Take("{")) {
      name = Next().text;
      return name;
    }
    for (int depth = 1; peek().kind != TokenKind::kEnd;) {
      if (peek().Is("{")) ++depth;
      if (peek().Is("}") && --depth == 0) break;
      name += Next().text;
    }
    Expect("}");
    return name;
  }

  const Node* Subscripted(const Node* base) {
    ++at_;
    const std::string name = SubscriptName();
    if (base->op == Op::kNumber) {
      const bool digits =
          !name.empty() && name.size() <= 2 &&
          std::all_of(name.begin(), name.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!digits || base->decimals >= 0) throw Failure();
      Node* node = Named(Op::kBase, base->name.empty() ? base->number.get_str() : base->name);
      node->number = std::atoi(name.c_str());
      return node;
    }
    if (base->op == Op::kVariable || base->op == Op::kEuler || base->op == Op::kImaginary) {
      const std::string letter = base->op == Op::kVariable ? base->name
                                 : base->op == Op::kEuler  ? "e"
                                                           : "i";
      return Named(Op::kVariable, letter + "_" + name);
    }
    throw Failure();
  }

  // ---- atoms ---------------------------------------------------------------------------------

  const Node* Number() {
    const std::string& text = Next().text;
    const size_t e = text.find('e');
    const std::string mantissa = text.substr(0, e);
    const size_t point = mantissa.find('.');
    std::string digits = mantissa;
    int64_t exponent = 0;
    Node* node = New(Op::kNumber);
    if (point != std::string::npos) {
      digits.erase(point, 1);
      node->decimals = static_cast<int>(mantissa.size() - point - 1);
      exponent -= node->decimals;
    }
    if (e != std::string::npos) {
      const int64_t power = text.size() - e > 7 ? 9'999'999 : std::atoll(text.c_str() + e + 1);
      exponent += power;
    }
    if (digits.empty() || digits.size() > 10'000 || std::abs(exponent) > 10'000) {
      budget_->spent = true;
      throw Failure();
    }
    budget_->Take(static_cast<int64_t>(digits.size() / 32));
    mpz_class whole(digits, 10), power;
    mpz_ui_pow_ui(power.get_mpz_t(), 10, static_cast<unsigned long>(std::abs(exponent)));
    if (exponent >= 0) {
      node->number = mpq_class(whole * power);
    } else {
      node->number = mpq_class(whole, power);
      node->number.canonicalize();
    }
    if (digits.size() > 1 && digits[0] == '0' && node->decimals < 0) node->name = digits;
    return node;
  }

  // What a command without braces takes: one digit of a number, one letter of a word.
  const Node* Argument() {
    if (peek().Is("{")) return Group();
    Token& token = tokens_[std::min(at_, tokens_.size() - 1)];
    if (token.kind == TokenKind::kNumber && token.text.size() > 1 && token.text[0] != '.') {
      Node* digit = New(Op::kNumber);
      digit->number = token.text[0] - '0';
      token.text.erase(0, 1);
      token.space_before = false;
      return digit;
    }
    if (token.kind == TokenKind::kWord && token.text.size() > 1) {
      const Node* letter = Letter(token.text[0]);
      token.text.erase(0, 1);
      return letter;
    }
    return Atom(false);
  }

  // {…} in LaTeX: grouping; with commas, what people write for a set.
  const Node* Group() {
    Expect("{");
    const int bars = std::exchange(bars_, 0);
    const Node* inside = List();
    bars_ = bars;
    Expect("}");
    if (inside->op == Op::kList && !inside->ordered) return New(Op::kSet, inside->args);
    return inside;
  }

  const Node* Letter(char c) {
    if (c == 'e') return New(Op::kEuler);
    if (c == 'i') return New(Op::kImaginary);
    return Named(Op::kVariable, std::string(1, c));
  }

  const Node* Atom(bool implied) {
    const Deeper level(this);
    const Token& token = peek();
    switch (token.kind) {
      case TokenKind::kNumber:
        return Number();
      case TokenKind::kWord:
        return Word();
      case TokenKind::kText: {
        const Token& text = Next();
        if (implied) throw Failure();
        return Named(Op::kText, PlainText(text.text));
      }
      case TokenKind::kCommand:
        return Command();
      case TokenKind::kSymbol:
        if (token.text == "{") return Group();
        if (token.text == "(" || token.text == "[") return Bracket();
        if (token.text == "\\{") return Set();
        if (token.text == "|") return Absolute("|");
        throw Failure();
      case TokenKind::kEnd:
        throw Failure();
    }
    throw Failure();
  }

  // Letters in a run: a known name, or a product of letters.
  const Node* Word() {
    const Token token = Next();
    const std::string& word = token.text;
    if (word == "pi") return New(Op::kPi);
    if (word == "inf" || word == "infinity" || word == "oo") return New(Op::kInfinity);
    if (word == "sqrt") return New(Op::kRoot, {arena_->Number(2), Argument()});
    if (kFunctions.contains(word)) return Function(word);
    if (kGreek.contains(word)) return Named(Op::kVariable, word);
    if (word.size() > 6) throw Failure();
    if (word.size() == 1) {
      const bool call =
          peek().Is("(") && std::string_view("fghFGHPQW").find(word[0]) != std::string_view::npos;
      return call ? Call(word) : Letter(word[0]);
    }
    std::vector<const Node*> letters;
    for (size_t i = 0; i + 1 < word.size(); ++i) letters.push_back(Letter(word[i]));
    // What follows (a power, a subscript) belongs to the last letter.
    tokens_[--at_].text = word.substr(word.size() - 1);
    letters.push_back(Factor(false));
    return New(Op::kMultiply, std::move(letters));
  }

  const Node* Call(const std::string& name) {
    const Node* inside = Bracket();
    std::vector<const Node*> args = {inside};
    if (inside->op == Op::kBracket) args = inside->args;
    return Named(Op::kCall, name, std::move(args));
  }

  const Node* Bracket() {
    const bool left_open = Next().text == "(";
    const int bars = std::exchange(bars_, 0);
    const Node* inside = List();
    bars_ = bars;
    const bool right_open = peek().Is(")");
    if (!right_open && !peek().Is("]")) throw Failure();
    ++at_;
    if (inside->op != Op::kList) {
      if (left_open != right_open) throw Failure();
      return inside;
    }
    Node* node = New(Op::kBracket, inside->args);
    node->left_open = left_open;
    node->right_open = right_open;
    return node;
  }

  const Node* Set() {
    Expect("\\{");
    if (Take("\\}")) return New(Op::kEmpty);
    const int bars = std::exchange(bars_, 0);
    const Node* inside = List();
    bars_ = bars;
    Expect("\\}");
    return New(Op::kSet, inside->op == Op::kList && !inside->ordered
                             ? inside->args
                             : std::vector<const Node*>{inside});
  }

  const Node* Absolute(std::string_view close) {
    ++at_;
    ++bars_;
    const Node* inside = Sum();
    --bars_;
    if (!(close == "|" ? Take("|") : TakeCommand(close))) throw Failure();
    return New(Op::kAbsolute, {inside});
  }

  const Node* Function(const std::string& name) {
    const Deeper level(this);
    const Node* power = nullptr;
    std::vector<const Node*> args;
    const Node* base = nullptr;
    if (name == "log" && Take("_")) base = Argument();
    if (peek().Is("^")) {
      ++at_;
      power = Take("{") ? Braced() : Argument();
    }
    if (name == "log" && Take("_")) base = Argument();
    if (peek().Is("(") || peek().Is("{")) {
      const bool brace = peek().Is("{");
      const Node* inside = brace ? Group() : Bracket();
      args = inside->op == Op::kBracket || inside->op == Op::kSet
                 ? inside->args
                 : std::vector<const Node*>{inside};
    } else {
      args = {FunctionArgument()};
    }
    std::string plain = name;
    if (name == "lg") {
      plain = "log";
      base = arena_->Number(10);
    } else if (name == "asin" || name == "acos" || name == "atan") {
      plain = "arc" + name.substr(1);
    }
    if (base) args.push_back(base);
    // sin^{-1} is the inverse, any other power is of the value.
    if (power && power->op == Op::kNegate && power->args[0]->op == Op::kNumber &&
        power->args[0]->number == 1 && (name == "sin" || name == "cos" || name == "tan")) {
      return Named(Op::kFunction, "arc" + name, std::move(args));
    }
    const Node* value = Named(Op::kFunction, plain, std::move(args));
    return power ? New(Op::kPower, {value, power}) : value;
  }

  const Node* Braced() {
    const Node* inside = Sum();
    Expect("}");
    return inside;
  }

  // "sin 2x cos y": factors up to the next function or operator.
  const Node* FunctionArgument() {
    if (Take("-")) return New(Op::kNegate, {FunctionArgument()});
    const Node* left = Factor(false);
    while (StartsFactor() && !peek().Is("(") && !kFunctions.contains(peek().text)) {
      left = New(Op::kMultiply, {left, Factor(true)});
    }
    // "log x/2" keeps its plain meaning, (log x)/2; "sin \pi/6" is the sine of a sixth of pi.
    if (left->op == Op::kPi && peek().Is("/") && peek(1).kind == TokenKind::kNumber) {
      ++at_;
      left = New(Op::kDivide, {left, Number()});
    }
    return left;
  }

  const Node* Command() {
    const std::string name = Next().text;
    if (name.ends_with("frac") && kAtoms.contains(name)) {
      const Node* over = Argument();
      return New(Op::kDivide, {over, Argument()});
    }
    if (name == "sqrt") return Root();
    if (name.ends_with("binom") && kAtoms.contains(name)) {
      const Node* n = Argument();
      return New(Op::kBinomial, {n, Argument()});
    }
    if (name == "pi") return New(Op::kPi);
    if (name == "infty") return New(Op::kInfinity);
    if (name == "imath") return New(Op::kImaginary);
    if (name == "emptyset" || name == "varnothing") return New(Op::kEmpty);
    if (name == "lfloor" || name == "lceil") {
      const Node* inside = Sum();
      if (!TakeCommand(name == "lfloor" ? "rfloor" : "rceil")) throw Failure();
      return Named(Op::kFunction, name == "lfloor" ? "floor" : "ceil", {inside});
    }
    if (name == "lvert") {
      --at_;
      return Absolute("rvert");
    }
    if (name == "mathbb") {
      Token letter;
      const bool braces = Take("{");
      letter = Next();
      if (braces) Expect("}");
      return letter.text == "R" ? New(Op::kReals) : Named(Op::kText, "mathbb" + letter.text);
    }
    if (name == "langle") {
      const Node* inside = List();
      if (!TakeCommand("rangle")) throw Failure();
      Node* node = New(Op::kBracket,
                       inside->op == Op::kList ? inside->args : std::vector<const Node*>{inside});
      node->left_open = node->right_open = true;
      return node;
    }
    if (name == "begin") return Matrix();
    if (name == "sum" || name == "int" || name == "prod" || name == "lim") return Opaque(name);
    if (name == "vec" || name == "hat" || name == "bar" || name == "overrightarrow" ||
        name == "angle" || name == "triangle" || name == "overline") {
      const std::string of = peek().Is("{") ? SubscriptName() : Next().text;
      return Named(Op::kVariable, name + of);
    }
    if (kFunctions.contains(name)) return Function(name);
    if (kGreek.contains(name)) return Named(Op::kVariable, name);
    throw Failure();
  }

  const Node* Root() {
    const Node* degree = arena_->Number(2);
    if (Take("[")) {
      degree = Sum();
      Expect("]");
    }
    // "√13" and "\sqrt13" are roots of thirteen, and "∛-8" one of minus eight.
    if (Take("-")) return New(Op::kRoot, {degree, New(Op::kNegate, {Argument()})});
    return New(Op::kRoot, {degree, peek().kind == TokenKind::kNumber ? Number() : Argument()});
  }

  // A sum, product, integral or limit: a name of its own, so that factors behind it may move.
  const Node* Opaque(const std::string& name) {
    std::string all = name;
    while (peek().Is("_") || peek().Is("^")) {
      all += Next().text;
      all += SubscriptName();
    }
    return New(Op::kMultiply, {Named(Op::kVariable, all), Product()});
  }

  const Node* Matrix() {
    const std::string kind = SubscriptName();
    if (kind == "array" && peek().Is("{")) SubscriptName();
    static const std::set<std::string, std::less<>> kinds = {
        "matrix", "pmatrix", "bmatrix", "vmatrix", "Bmatrix", "array", "smallmatrix", "cases"};
    if (!kinds.contains(kind) || kind == "vmatrix" || kind == "cases") throw Failure();
    Node* node = New(Op::kMatrix);
    uint32_t column = 0;
    while (!peek().IsCommand("end")) {
      node->args.push_back(Sum());
      if (node->args.size() > kMaxElements) {
        budget_->spent = true;
        throw Failure();
      }
      ++column;
      if (Take("&")) continue;
      if (node->rows > 0 && column != node->columns) throw Failure();
      node->columns = column;
      ++node->rows;
      column = 0;
      if (!TakeCommand("\\") && !peek().IsCommand("end")) throw Failure();
    }
    ++at_;
    SubscriptName();
    if (node->rows == 0 || column != 0) throw Failure();
    return node;
  }

  std::vector<Token> tokens_;
  Arena* arena_;
  Budget* budget_;
  size_t at_ = 0;
  int depth_ = 0;
  bool saw_or_ = false;  // of the last separator
  int bars_ = 0;         // absolute values that are open here
};

// ---- units -------------------------------------------------------------------------------------

bool IsUnitStart(const Token& token, bool first) {
  if (token.kind == TokenKind::kText) return !IsSeparatorWord(token) && !first;
  if (token.kind != TokenKind::kWord || first || IsSeparatorWord(token)) return false;
  if (kUnits.contains(token.text)) return true;
  return token.space_before && token.text.size() >= 3 && !kFunctions.contains(token.text) &&
         !kGreek.contains(token.text) && token.text != "pi" && token.text != "sqrt" &&
         token.text != "inf" && token.text != "infinity";
}

// Cuts a tail that is only words, powers and slashes from behind a value; the words, joined.
std::string TakeUnit(std::vector<Token>* tokens) {
  const size_t end = tokens->size() - 1;
  size_t at = 0;
  // "3m²": a metre, when it is squared or cubed.
  const auto metre = [&](size_t i) {
    return i > 0 && (*tokens)[i].kind == TokenKind::kWord && (*tokens)[i].text == "m" &&
           (*tokens)[i + 1].Is("^") && (*tokens)[i - 1].kind == TokenKind::kNumber;
  };
  while (at < end && !IsUnitStart((*tokens)[at], at == 0) && !metre(at)) ++at;
  // A unit stands behind something that ends a value.
  if (at == 0 || at == end) return {};
  const Token& before = (*tokens)[at - 1];
  const bool value = before.kind == TokenKind::kNumber || before.Is(")") || before.Is("}") ||
                     before.Is("]") || before.Is("%") || before.kind == TokenKind::kCommand ||
                     (before.kind == TokenKind::kWord && before.text.size() == 1);
  if (!value) return {};
  std::string unit;
  for (size_t i = at; i < end; ++i) {
    const Token& token = (*tokens)[i];
    const bool word = token.kind == TokenKind::kText || token.kind == TokenKind::kWord;
    const bool tail =
        token.Is("/") || token.Is("^") || token.Is("{") || token.Is("}") || token.Is("-") ||
        token.Is(".") || token.Is("(") || token.Is(")") || token.IsCommand("cdot") ||
        (token.kind == TokenKind::kNumber &&
         ((*tokens)[i - 1].Is("^") || (*tokens)[i - 1].Is("{") || (*tokens)[i - 1].Is("-")));
    if ((!word && !tail) || (word && IsSeparatorWord(token))) return {};
    if (word) unit += (unit.empty() ? "" : " ") + PlainText(token.text);
    if (token.Is("/") || token.kind == TokenKind::kNumber) unit += token.text;
  }
  tokens->erase(tokens->begin() + static_cast<ptrdiff_t>(at), tokens->end() - 1);
  return unit;
}

// Marks in front and behind that say nothing: currency, a final point, "answer:".
void StripEnds(std::vector<Token>* tokens, std::string* unit) {
  const auto currency = [](const Token& token) {
    return token.kind == TokenKind::kText &&
           (token.text == "$" || token.text == "€" || token.text == "£" || token.text == "¥");
  };
  while (tokens->size() > 1 && currency(tokens->front())) {
    *unit = tokens->front().text;
    tokens->erase(tokens->begin());
  }
  // "-\$5": the sign stands before the currency.
  if (tokens->size() > 2 && (*tokens)[0].Is("-") && currency((*tokens)[1])) {
    *unit = (*tokens)[1].text;
    tokens->erase(tokens->begin() + 1);
  }
  while (tokens->size() > 1) {
    const Token& last = (*tokens)[tokens->size() - 2];
    if (currency(last)) *unit = last.text;
    if (!last.Is(".") && !last.Is(",") && !last.Is(";") && !currency(last)) break;
    tokens->erase(tokens->end() - 2);
  }
}

// A run of letters that is a word rather than a product of letters.
bool IsLoneWord(const std::vector<Token>& tokens) {
  static const std::set<std::string, std::less<>> words = {
      "no", "on", "yes", "odd", "all", "one", "two", "six", "ten", "none", "dne"};
  const size_t end = tokens.size() - 1;
  if (end != 1 || tokens[0].kind != TokenKind::kWord || tokens[0].text.size() < 2) return false;
  const std::string& word = tokens[0].text;
  if (word == "pi" || word == "inf" || word == "infinity" || word == "oo") return false;
  const bool upper =
      std::any_of(word.begin(), word.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  return upper || word.size() >= 4 || words.contains(word);
}

// Commas of a lone number that is written with a decimal comma.
void ReadDecimalComma(std::vector<Token>* tokens) {
  size_t at = (*tokens)[0].Is("-") ? 1 : 0;
  if (tokens->size() != at + 4) return;
  Token &whole = (*tokens)[at], &fraction = (*tokens)[at + 2];
  if (whole.kind != TokenKind::kNumber || !(*tokens)[at + 1].Is(",") || fraction.space_before ||
      fraction.kind != TokenKind::kNumber || (*tokens)[at + 1].space_before ||
      fraction.text.find('.') != std::string::npos) {
    return;
  }
  whole.text += "." + fraction.text;
  tokens->erase(tokens->begin() + static_cast<ptrdiff_t>(at) + 1,
                tokens->begin() + static_cast<ptrdiff_t>(at) + 3);
}

}  // namespace

std::string PlainText(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '\\') {
      // A command that only styles goes; an escaped mark stands for itself.
      size_t end = i + 1;
      while (end < text.size() &&
             ((text[end] >= 'a' && text[end] <= 'z') || (text[end] >= 'A' && text[end] <= 'Z')))
        ++end;
      const std::string_view name = text.substr(i + 1, end - i - 1);
      static const std::set<std::string_view> styles = {
          "text", "textbf", "textit", "textrm", "mathrm",     "mathbf",      "boxed",
          "quad", "left",   "right",  "mbox",   "textnormal", "displaystyle"};
      if (!styles.contains(name)) out += name;
      i = end - 1;
    } else if (c == '{' || c == '}' || c == '$' || c == '*' || c == ' ' || c == '\t' || c == '\n' ||
               c == '\r' || c == '~') {
      continue;
    } else {
      out += c;
    }
  }
  return Lower(std::string(Trim(out, ".,;:!()[]\"'`")));
}

Answer Parse(std::string_view text, bool decimal_comma, Arena* arena, Budget* budget) {
  Answer answer;
  if (text.size() > kMaxAnswerLength) {
    budget->spent = true;
    answer.value = arena->Name(Op::kText, "");
    return answer;
  }
  std::vector<Token> tokens = Tokenize(text);
  StripEnds(&tokens, &answer.unit);
  const std::string unit = TakeUnit(&tokens);
  if (!unit.empty()) answer.unit = unit;
  StripEnds(&tokens, &answer.unit);
  if (decimal_comma) ReadDecimalComma(&tokens);
  if (!IsLoneWord(tokens)) {
    try {
      answer.value = Parser(std::move(tokens), arena, budget).Whole();
    } catch (const Failure&) {
      answer.unit.clear();
    }
  }
  if (answer.value == nullptr) answer.value = arena->Name(Op::kText, PlainText(text));
  // A percent or degree sign that is the outermost is a unit.
  if (answer.value->op == Op::kPercent || answer.value->op == Op::kDegree) {
    answer.unit = answer.value->op == Op::kPercent ? "%" : "°";
    answer.value = answer.value->args[0];
  }
  if (answer.unit == "percent" || answer.unit == "pct" || answer.unit == "percentage")
    answer.unit = "%";
  if (answer.unit == "degrees" || answer.unit == "degree" || answer.unit == "deg")
    answer.unit = "°";
  return answer;
}

}  // namespace hone::math
