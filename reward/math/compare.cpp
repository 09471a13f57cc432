#include "reward/math/compare.h"

#include <algorithm>
#include <map>

#include "reward/answer.h"
#include "reward/math/parse.h"
#include "reward/math/real_set.h"
#include "reward/rational.h"

namespace hone::math {
namespace {

Tri And(Tri a, Tri b) {
  if (a == Tri::kNo || b == Tri::kNo) return Tri::kNo;
  return a == Tri::kUnknown || b == Tri::kUnknown ? Tri::kUnknown : Tri::kYes;
}
Tri Or(Tri a, Tri b) {
  if (a == Tri::kYes || b == Tri::kYes) return Tri::kYes;
  return a == Tri::kUnknown || b == Tri::kUnknown ? Tri::kUnknown : Tri::kNo;
}
Tri Of(bool yes) { return yes ? Tri::kYes : Tri::kNo; }

// "x = 5 + 6 = 11 ≈ 11.0" is named x and worth 11.
struct Named {
  const Node* name = nullptr;
  const Node* value;
};

Named Unname(const Node* node) {
  if (node->op != Op::kRelation) return {nullptr, node};
  const auto plain = [](Relation r) { return r == Relation::kEqual || r == Relation::kApprox; };
  if (node->relations[0] == Relation::kIn && node->relations.size() == 1 &&
      IsNameLike(node->args[0])) {
    return {node->args[0], node->args[1]};
  }
  if (!std::all_of(node->relations.begin(), node->relations.end(), plain)) return {nullptr, node};
  size_t last = 1;
  while (last < node->relations.size() && node->relations[last] == Relation::kEqual) ++last;
  if (IsNameLike(node->args[0])) return {node->args[0], node->args[last]};
  // "1/3 ≈ 0.33": the value before the sign.
  if (node->relations[0] == Relation::kApprox) return {nullptr, node->args[0]};
  // "5 + 6 = 11", all numbers: the last.
  const bool constants = std::all_of(node->args.begin(), node->args.end(), [](const Node* arg) {
    const Features features = FeaturesOf(arg);
    return features.scalar && !features.variables;
  });
  return {nullptr, constants ? node->args[last] : node};
}

// `node` with the signs of its ± chosen: all plus, or all minus.
const Node* Choose(const Node* node, bool minus, Arena* arena) {
  if (!FeaturesOf(node).plus_minus) return node;
  Node* copy = arena->New(node->op);
  copy->name = node->name;
  copy->number = node->number;
  for (const Node* arg : node->args) copy->args.push_back(Choose(arg, minus, arena));
  if (node->op != Op::kPlusMinus) return copy;
  const Node* last = copy->args.back();
  if (minus) last = arena->New(Op::kNegate, {last});
  if (copy->args.size() == 1) return last;
  copy->op = Op::kAdd;
  copy->args.back() = last;
  return copy;
}

class Comparer {
 public:
  explicit Comparer(const Comparison& comparison) : comparison_(comparison) {}

  Tri Same(const Node* gold, const Node* found) {
    if (++depth_ > kMaxDepth || !comparison_.budget->Take()) {
      comparison_.budget->spent = true;
      return Tri::kUnknown;
    }
    const Tri tri = SameAny(gold, found);
    --depth_;
    return tri;
  }

 private:
  static bool IsCollection(const Node* node) {
    return node->op == Op::kList || node->op == Op::kSet;
  }
  static bool IsScalarPlusMinus(const Node* node) {
    return !IsCollection(node) && node->op != Op::kBracket && node->op != Op::kRelation &&
           FeaturesOf(node).plus_minus;
  }

  Tri SameAny(const Node* gold, const Node* found) {
    if (gold->op == Op::kRelation || found->op == Op::kRelation) return SameRelations(gold, found);
    if (gold->op == Op::kText || found->op == Op::kText) return SameText(gold, found);
    if (gold->op == Op::kBase || found->op == Op::kBase) {
      return Of(gold->op == found->op && gold->name == found->name &&
                gold->number == found->number);
    }
    if (IsCollection(gold) || IsCollection(found) || IsScalarPlusMinus(gold) ||
        IsScalarPlusMinus(found)) {
      return SameCollections(gold, found);
    }
    if (gold->op == Op::kBracket && found->op == Op::kBracket) {
      return And(Of(gold->left_open == found->left_open && gold->right_open == found->right_open),
                 Ordered(gold, found));
    }
    if (const auto set = SetOf(gold), other = SetOf(found); set && other) {
      return SameRealSet(*set, *other, comparison_);
    }
    if (gold->op == Op::kRatio || found->op == Op::kRatio) return SameRatios(gold, found);
    if (HoldsMatrix(gold) || HoldsMatrix(found)) return SameMatrices(gold, found);
    return SameScalar(gold, found, comparison_);
  }

  std::optional<RealSet> SetOf(const Node* node) { return ToRealSet(node, comparison_); }

  // ---- relations -----------------------------------------------------------------------------

  static Tri SameNames(const Node* a, const Node* b) {
    if (!a || !b || SameTree(a, b)) return Tri::kYes;
    return Of(a->op == Op::kCall && b->op == Op::kCall && a->name == b->name);
  }

  Tri SameRelations(const Node* gold, const Node* found) {
    const Named left = Unname(gold), right = Unname(found);
    if (left.value != gold || right.value != found) {
      const bool both = left.value != gold && right.value != found;
      if (left.value->op != Op::kRelation && right.value->op != Op::kRelation) {
        const Tri same = And(SameNames(left.name, right.name), Same(left.value, right.value));
        if (same == Tri::kYes || !both) return same;
      }
    }
    if (const auto set = SetOf(gold), other = SetOf(found); set && other) {
      return SameRealSet(*set, *other, comparison_);
    }
    if (gold->op != Op::kRelation || found->op != Op::kRelation) return Tri::kNo;
    if (gold->relations.size() == 1 && found->relations.size() == 1)
      return SameEquations(gold, found);
    return SameChains(gold, found);
  }

  // a = b against c = d: a - b is a constant times c - d; for inequalities with a sign that fits.
  Tri SameEquations(const Node* gold, const Node* found) {
    const auto less = [](Relation r) { return r == Relation::kLess || r == Relation::kLessEqual; };
    const auto strict = [](Relation r) { return r == Relation::kLess || r == Relation::kGreater; };
    const auto inequality = [&](Relation r) {
      return less(r) || strict(r) || r == Relation::kGreaterEqual;
    };
    const Relation a = gold->relations[0], b = found->relations[0];
    if (a == Relation::kIn || b == Relation::kIn) return Tri::kNo;
    if (inequality(a) != inequality(b)) return Tri::kNo;
    if (!inequality(a) && a != b) return Tri::kNo;
    if (inequality(a) && strict(a) != strict(b)) return Tri::kNo;
    const auto sign = Proportional(Difference(gold), Difference(found), comparison_);
    if (!sign) return comparison_.budget->spent ? Tri::kUnknown : Tri::kNo;
    if (!inequality(a)) return Tri::kYes;
    return Of((less(a) == less(b)) == (*sign > 0));
  }

  const Node* Difference(const Node* relation) {
    return comparison_.arena->New(
        Op::kAdd, {relation->args[0], comparison_.arena->New(Op::kNegate, {relation->args[1]})});
  }

  // f(2) < f(1) < f(4), forwards or backwards.
  Tri SameChains(const Node* gold, const Node* found) {
    if (gold->args.size() != found->args.size()) return Tri::kNo;
    const size_t n = gold->args.size();
    const auto flip = [](Relation r) {
      switch (r) {
        case Relation::kLess:
          return Relation::kGreater;
        case Relation::kGreater:
          return Relation::kLess;
        case Relation::kLessEqual:
          return Relation::kGreaterEqual;
        case Relation::kGreaterEqual:
          return Relation::kLessEqual;
        default:
          return r;
      }
    };
    Tri forwards = Tri::kYes, backwards = Tri::kYes;
    for (size_t i = 0; i + 1 < n; ++i) {
      if (gold->relations[i] != found->relations[i]) forwards = Tri::kNo;
      if (gold->relations[i] != flip(found->relations[n - 2 - i])) backwards = Tri::kNo;
    }
    for (size_t i = 0; i < n; ++i) {
      if (forwards != Tri::kNo) forwards = And(forwards, Same(gold->args[i], found->args[i]));
      if (backwards != Tri::kNo)
        backwards = And(backwards, Same(gold->args[i], found->args[n - 1 - i]));
    }
    return Or(forwards, backwards);
  }

  // ---- collections ---------------------------------------------------------------------------

  struct Element {
    const Node *name, *value;
  };

  // The elements of a list or set: without their names, ± as two, and none twice.
  void Gather(const Node* node, const Node* name, std::vector<Element>* out) {
    const Named named = Unname(node);
    if (named.name) name = named.name;
    if (node->op == Op::kRelation && named.value == node) {
      out->push_back({nullptr, node});
    } else if (IsCollection(named.value) && !named.value->ordered) {
      for (const Node* arg : named.value->args)
        Gather(arg, named.value == node ? nullptr : name, out);
    } else if (IsScalarPlusMinus(named.value)) {
      for (const bool minus : {false, true})
        out->push_back({name, Choose(named.value, minus, comparison_.arena)});
    } else {
      out->push_back({name, named.value});
    }
  }

  std::vector<Element> Elements(const Node* node) {
    std::vector<Element> all, distinct;
    Gather(node, nullptr, &all);
    for (const Element& element : all) {
      const bool known = std::any_of(distinct.begin(), distinct.end(), [&](const Element& other) {
        return SameNames(element.name, other.name) == Tri::kYes &&
               SameTree(element.value, other.value);
      });
      if (!known) distinct.push_back(element);
    }
    return distinct;
  }

  // Elements that carry a name on one side alone are unordered values.
  Tri SameCollections(const Node* gold, const Node* found) {
    // A tuple against bare elements: in order.
    if (gold->op == Op::kBracket || found->op == Op::kBracket) {
      const Node* tuple = gold->op == Op::kBracket ? gold : found;
      const Node* other = gold->op == Op::kBracket ? found : gold;
      if (IsCollection(other) && other->args.size() == tuple->args.size() &&
          tuple->args.size() > 1 && tuple->left_open == tuple->right_open && tuple->left_open) {
        return Ordered(gold, found);
      }
      if (!IsCollection(other) || other->args.size() != 1) return SetsOrNo(gold, found);
    }
    if (gold->ordered && found->ordered) return Ordered(gold, found);
    if (SetsOf(gold) && SetsOf(found)) {
      if (const auto set = SetOf(gold), other = SetOf(found); set && other)
        return SameRealSet(*set, *other, comparison_);
    }
    if ((SetsOf(gold) && gold->op == Op::kList) || (SetsOf(found) && found->op == Op::kList))
      return SetsOrNo(gold, found);
    return Matched(Elements(gold), Elements(found));
  }

  // A list of inequalities, or what can only be a set of reals.
  static bool SetsOf(const Node* node) {
    if (node->op == Op::kUnion || node->op == Op::kWithout || node->op == Op::kIntersect ||
        node->op == Op::kReals)
      return true;
    if (node->op != Op::kList) return false;
    return std::all_of(node->args.begin(), node->args.end(), [](const Node* arg) {
      return arg->op == Op::kRelation && arg->relations[0] != Relation::kEqual &&
             arg->relations[0] != Relation::kApprox;
    });
  }

  Tri SetsOrNo(const Node* gold, const Node* found) {
    if (const auto set = SetOf(gold), other = SetOf(found); set && other)
      return SameRealSet(*set, *other, comparison_);
    return Tri::kNo;
  }

  Tri Matched(const std::vector<Element>& gold, const std::vector<Element>& found) {
    if (gold.size() != found.size() || gold.size() > kMaxElements) return Tri::kNo;
    std::vector<bool> taken(found.size());
    Tri result = Tri::kYes;
    for (const Element& element : gold) {
      size_t match = found.size();
      bool unknown = false;
      for (size_t i = 0; i < found.size() && match == found.size(); ++i) {
        if (taken[i] || SameNames(element.name, found[i].name) == Tri::kNo) continue;
        const Tri tri = Same(element.value, found[i].value);
        if (tri == Tri::kYes) match = i;
        unknown |= tri == Tri::kUnknown;
      }
      if (match == found.size()) {
        if (!unknown) return Tri::kNo;
        result = Tri::kUnknown;
      } else {
        taken[match] = true;
      }
    }
    return result;
  }

  Tri Ordered(const Node* gold, const Node* found) {
    if (gold->args.size() != found->args.size()) return Tri::kNo;
    Tri result = Tri::kYes;
    for (size_t i = 0; i < gold->args.size() && result != Tri::kNo; ++i) {
      const Node *a = gold->args[i], *b = found->args[i];
      if (FeaturesOf(a).variables || FeaturesOf(b).variables || a->op == Op::kRelation ||
          b->op == Op::kRelation) {
        a = Unname(a).value;
        b = Unname(b).value;
      }
      if (a->op == Op::kInfinity || b->op == Op::kInfinity) {
        result = And(result, Of(a->op == b->op));
      } else {
        result = And(result, Same(a, b));
      }
    }
    return result;
  }

  // ---- others --------------------------------------------------------------------------------

  // A word may come as \text{…} on one side and as a product of letters on the other.
  static bool Spelling(const Node* node, std::string* out) {
    switch (node->op) {
      case Op::kText:
        *out += node->name;
        return true;
      case Op::kVariable:
        *out += node->name;
        return node->name.size() == 1;
      case Op::kEuler:
        *out += 'e';
        return true;
      case Op::kImaginary:
        *out += 'i';
        return true;
      case Op::kMultiply:
        return std::all_of(node->args.begin(), node->args.end(),
                           [&](const Node* arg) { return Spelling(arg, out); });
      default:
        return false;
    }
  }

  static Tri SameText(const Node* gold, const Node* found) {
    std::string a, b;
    if (!Spelling(gold, &a) || !Spelling(found, &b)) return Tri::kNo;
    return Of(!a.empty() && PlainText(a) == PlainText(b));
  }

  Tri SameRatios(const Node* gold, const Node* found) {
    const auto clock = [](const Node* node) {
      return node->op == Op::kRatio &&
             std::any_of(node->args.begin(), node->args.end(), [](const Node* arg) {
               return arg->op == Op::kNumber && !arg->name.empty();
             });
    };
    if (clock(gold) || clock(found)) return gold->op == found->op ? Ordered(gold, found) : Tri::kNo;
    if (gold->args.size() <= 2 || found->args.size() <= 2)
      return SameScalar(gold, found, comparison_);
    if (gold->op != found->op || gold->args.size() != found->args.size()) return Tri::kNo;
    Tri result = Tri::kYes;
    for (size_t i = 1; i < gold->args.size() && result != Tri::kNo; ++i) {
      const auto share = [&](const Node* node) {
        return comparison_.arena->New(Op::kDivide, {node->args[i], node->args[0]});
      };
      result = And(result, SameScalar(share(gold), share(found), comparison_));
    }
    return result;
  }

  static bool HoldsMatrix(const Node* node) {
    return node->op == Op::kMatrix ||
           std::any_of(node->args.begin(), node->args.end(), HoldsMatrix);
  }

  // Sums and products of matrices, worked out; null when it is none.
  const Node* Matrix(const Node* node) {
    if (node->op == Op::kMatrix) return node;
    Arena* arena = comparison_.arena;
    if (node->op == Op::kNegate) {
      const Node* matrix = Matrix(node->args[0]);
      if (!matrix) return nullptr;
      Node* out = Shaped(matrix->rows, matrix->columns);
      for (const Node* arg : matrix->args) out->args.push_back(arena->New(Op::kNegate, {arg}));
      return out;
    }
    if (node->op != Op::kAdd && node->op != Op::kMultiply) return nullptr;
    const Node* left = nullptr;
    for (size_t i = 0; i < node->args.size(); ++i) {
      const Node* right = HoldsMatrix(node->args[i]) ? Matrix(node->args[i]) : node->args[i];
      if (!right) return nullptr;
      left = i == 0 ? right : node->op == Op::kAdd ? Added(left, right) : Multiplied(left, right);
      if (!left) return nullptr;
    }
    return left;
  }

  Node* Shaped(uint32_t rows, uint32_t columns) {
    Node* node = comparison_.arena->New(Op::kMatrix);
    node->rows = rows;
    node->columns = columns;
    return node;
  }

  const Node* Added(const Node* a, const Node* b) {
    if (a->op != Op::kMatrix || b->op != Op::kMatrix || a->rows != b->rows ||
        a->columns != b->columns)
      return nullptr;
    Node* out = Shaped(a->rows, a->columns);
    for (size_t i = 0; i < a->args.size(); ++i) {
      out->args.push_back(comparison_.arena->New(Op::kAdd, {a->args[i], b->args[i]}));
    }
    return out;
  }

  const Node* Multiplied(const Node* a, const Node* b) {
    Arena* arena = comparison_.arena;
    if (a->op != Op::kMatrix && b->op != Op::kMatrix) return arena->New(Op::kMultiply, {a, b});
    if (a->op != Op::kMatrix || b->op != Op::kMatrix) {
      const Node *matrix = a->op == Op::kMatrix ? a : b, *factor = a->op == Op::kMatrix ? b : a;
      Node* out = Shaped(matrix->rows, matrix->columns);
      for (const Node* arg : matrix->args)
        out->args.push_back(arena->New(Op::kMultiply, {factor, arg}));
      return out;
    }
    if (a->columns != b->rows) return nullptr;
    Node* out = Shaped(a->rows, b->columns);
    for (uint32_t r = 0; r < a->rows; ++r) {
      for (uint32_t c = 0; c < b->columns; ++c) {
        if (!comparison_.budget->Take(a->columns)) return nullptr;
        Node* sum = arena->New(Op::kAdd);
        for (uint32_t k = 0; k < a->columns; ++k) {
          sum->args.push_back(arena->New(
              Op::kMultiply, {a->args[r * a->columns + k], b->args[k * b->columns + c]}));
        }
        out->args.push_back(sum);
      }
    }
    if (out->args.size() > kMaxElements) return nullptr;
    return out;
  }

  Tri SameMatrices(const Node* gold, const Node* found) {
    const Node *a = Matrix(gold), *b = Matrix(found);
    if (!a || !b || a->op != Op::kMatrix || b->op != Op::kMatrix) return Tri::kNo;
    if (a->rows != b->rows || a->columns != b->columns) return Tri::kNo;
    return Ordered(a, b);
  }

  const Comparison& comparison_;
  int depth_ = 0;
};

// ---- units -------------------------------------------------------------------------------------

// Units whose difference is a different answer. What is not here is a word that says nothing.
std::string KnownUnit(const std::string& unit) {
  static const std::map<std::string, std::string, std::less<>> known = {{"mm", "mm"},
                                                                        {"cm", "cm"},
                                                                        {"centimeters", "cm"},
                                                                        {"centimeter", "cm"},
                                                                        {"centimetres", "cm"},
                                                                        {"m", "m"},
                                                                        {"meters", "m"},
                                                                        {"meter", "m"},
                                                                        {"metres", "m"},
                                                                        {"km", "km"},
                                                                        {"kilometers", "km"},
                                                                        {"kilometer", "km"},
                                                                        {"ft", "ft"},
                                                                        {"feet", "ft"},
                                                                        {"foot", "ft"},
                                                                        {"inches", "inch"},
                                                                        {"inch", "inch"},
                                                                        {"miles", "mile"},
                                                                        {"mile", "mile"},
                                                                        {"yards", "yd"},
                                                                        {"kg", "kg"},
                                                                        {"kilograms", "kg"},
                                                                        {"g", "g"},
                                                                        {"grams", "g"},
                                                                        {"mg", "mg"},
                                                                        {"hours", "h"},
                                                                        {"hour", "h"},
                                                                        {"minutes", "min"},
                                                                        {"minute", "min"},
                                                                        {"min", "min"},
                                                                        {"seconds", "s"},
                                                                        {"second", "s"},
                                                                        {"days", "d"},
                                                                        {"day", "d"},
                                                                        {"$", "$"},
                                                                        {"dollars", "$"},
                                                                        {"dollar", "$"},
                                                                        {"€", "€"},
                                                                        {"euros", "€"},
                                                                        {"£", "£"},
                                                                        {"pounds", "pound"},
                                                                        {"cents", "cent"},
                                                                        {"¢", "cent"},
                                                                        {"°", "°"},
                                                                        {"radians", "rad"},
                                                                        {"rad", "rad"},
                                                                        {"%", "%"}};
  const auto found = known.find(unit);
  return found == known.end() ? std::string() : found->second;
}

// A number and the degrees or percents it may stand for.
Tri SameWithUnits(const Answer& gold, const Answer& found, const CompareOptions& options,
                  Comparer* comparer, Arena* arena) {
  const std::string a = KnownUnit(gold.unit), b = KnownUnit(found.unit);
  if (options.units && !a.empty() && !b.empty() && a != b) {
    // 50% is 0.5 only where the other side has no unit of its own.
    return Tri::kNo;
  }
  Tri same = comparer->Same(gold.value, found.value);
  if (a == b || same == Tri::kYes) return same;
  const auto scaled = [&](const Answer& answer, Op op) -> const Node* {
    return (op == Op::kPercent ? answer.unit == "%" : answer.unit == "°")
               ? arena->New(op, {answer.value})
               : answer.value;
  };
  for (const Op op : {Op::kPercent, Op::kDegree}) {
    const Node *left = scaled(gold, op), *right = scaled(found, op);
    if (left == gold.value && right == found.value) continue;
    if (!FeaturesOf(left).scalar || !FeaturesOf(right).scalar) continue;
    same = Or(same, comparer->Same(left, right));
  }
  return same;
}

// ---- text and choices --------------------------------------------------------------------------

// Without white space and dollars at the ends.
std::string_view Bare(std::string_view text) { return Trim(text, " \t\n\r$"); }

void Say(std::string* how, const char* phrase) {
  if (how) *how = phrase;
}

}  // namespace

char ChoiceOf(std::string_view text, bool any_case) {
  std::string plain;
  for (size_t i = 0; i < text.size() && plain.size() < 12; ++i) {
    if (text[i] == '\\') {
      // Commands only style here, as \text and "\ ".
      while (i + 1 < text.size() &&
             ((text[i + 1] >= 'a' && text[i + 1] <= 'z') || text[i + 1] == ' '))
        ++i;
    } else if (std::string_view(" ${}*~\n\t\r").find(text[i]) == std::string_view::npos) {
      plain += text[i];
    }
  }
  const bool paren = !plain.empty() && plain[0] == '(';
  const size_t at = paren ? 1 : 0;
  if (plain.size() <= at) return '\0';
  char letter = plain[at];
  if ((paren || any_case) && letter >= 'a' && letter <= 'j')
    letter = static_cast<char>(letter - 'a' + 'A');
  if (letter < 'A' || letter > 'J') return '\0';
  if (plain.size() == at + 1) return paren ? '\0' : letter;
  const char next = plain[at + 1];
  return next == ')' || (!paren && (next == '.' || next == ':')) ? letter : '\0';
}

Tri SameAnswer(std::string_view gold, std::string_view found, const CompareOptions& options,
               std::string* how) {
  if (found.size() > kMaxAnswerLength || gold.size() > kMaxAnswerLength) {
    Say(how, "longer than what is compared");
    return Tri::kUnknown;
  }
  // Most answers are numbers.
  mpq_class left, right;
  if (ParseNumber(gold, &left) == Parsed::kOk && ParseNumber(found, &right) == Parsed::kOk &&
      left == right) {
    Say(how, "equal numbers");
    return Tri::kYes;
  }
  const std::string_view bare = Bare(found);
  if (bare.empty()) {
    Say(how, "empty");
    return Tri::kNo;
  }
  if (Bare(gold) == bare) {
    Say(how, "the same text");
    return Tri::kYes;
  }
  const char choice = ChoiceOf(gold);
  if (choice != '\0' && ChoiceOf(found) == choice) {
    Say(how, "the same choice");
    return Tri::kYes;
  }
  Arena arena;
  Budget budget;
  const Comparison comparison{.arena = &arena, .budget = &budget, .decimals = options.decimals};
  Comparer comparer(comparison);
  const Answer expected = Parse(gold, false, &arena, &budget),
               given = Parse(found, false, &arena, &budget);
  Tri same =
      budget.spent ? Tri::kUnknown : SameWithUnits(expected, given, options, &comparer, &arena);
  Say(how, "compared as expressions");
  if (expected.value->op == Op::kText || given.value->op == Op::kText)
    Say(how, "compared as texts");
  if (same == Tri::kNo && expected.value->op != given.value->op) {
    // "1,22" against "1.22": a decimal comma where the other side is a decimal.
    const auto decimal = [](const Answer& answer) {
      return answer.value->op == Op::kNumber && answer.value->decimals > 0;
    };
    const auto pair = [](const Answer& answer) {
      return answer.value->op == Op::kList && answer.value->args.size() == 2;
    };
    if ((decimal(expected) && pair(given)) || (decimal(given) && pair(expected))) {
      same = comparer.Same(Parse(gold, true, &arena, &budget).value,
                           Parse(found, true, &arena, &budget).value);
      Say(how, "compared with a decimal comma");
    }
  }
  if (budget.spent) {
    Say(how, "over the limit of steps, depth or digits");
    return Tri::kUnknown;
  }
  return same;
}

}  // namespace hone::math
