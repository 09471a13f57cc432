#include "reward/math/real_set.h"

#include <algorithm>

namespace hone::math {
namespace {

int CompareEnds(const End& a, const End& b) {
  if (a.infinite != b.infinite) return a.infinite < b.infinite ? -1 : 1;
  if (a.infinite != 0) return 0;
  return mpfr_cmp(a.value.real(), b.value.real());
}

// Where a piece begins and ends, finely: an open low end is a little above, an open high end below.
int CompareLows(const Piece& a, const Piece& b) {
  const int order = CompareEnds(a.low, b.low);
  return order != 0 ? order : static_cast<int>(a.low_open) - static_cast<int>(b.low_open);
}
int CompareHighs(const Piece& a, const Piece& b) {
  const int order = CompareEnds(a.high, b.high);
  return order != 0 ? order : static_cast<int>(b.high_open) - static_cast<int>(a.high_open);
}

bool IsEmpty(const Piece& piece) {
  const int order = CompareEnds(piece.low, piece.high);
  return order > 0 || (order == 0 && (piece.low_open || piece.high_open));
}

RealSet Merged(RealSet set) {
  std::erase_if(set, IsEmpty);
  std::sort(set.begin(), set.end(),
            [](const Piece& a, const Piece& b) { return CompareLows(a, b) < 0; });
  RealSet out;
  for (Piece& piece : set) {
    if (!out.empty()) {
      Piece& last = out.back();
      const int gap = CompareEnds(last.high, piece.low);
      if (gap > 0 || (gap == 0 && !(last.high_open && piece.low_open))) {
        if (CompareHighs(last, piece) < 0) {
          last.high = piece.high;
          last.high_open = piece.high_open;
        }
        continue;
      }
    }
    out.push_back(std::move(piece));
  }
  return out;
}

RealSet Intersection(const RealSet& a, const RealSet& b) {
  RealSet out;
  for (const Piece& left : a) {
    for (const Piece& right : b) {
      Piece piece = CompareLows(left, right) >= 0 ? left : right;
      const Piece& high = CompareHighs(left, right) <= 0 ? left : right;
      piece.high = high.high;
      piece.high_open = high.high_open;
      out.push_back(std::move(piece));
    }
  }
  return Merged(std::move(out));
}

RealSet Line() {
  Piece line;
  line.low.infinite = -1;
  line.high.infinite = 1;
  line.low_open = line.high_open = true;
  return {line};
}

RealSet Complement(const RealSet& set) {
  RealSet out;
  Piece next = Line()[0];
  for (const Piece& piece : set) {
    Piece gap = next;
    gap.high = piece.low;
    gap.high_open = !piece.low_open;
    if (piece.low.infinite == 0) out.push_back(gap);
    next.low = piece.high;
    next.low_open = !piece.high_open;
    if (piece.high.infinite != 0) return Merged(std::move(out));
  }
  out.push_back(next);
  return Merged(std::move(out));
}

class Reader {
 public:
  explicit Reader(const Comparison& comparison) : comparison_(comparison) {}

  std::optional<RealSet> Read(const Node* node) {
    switch (node->op) {
      case Op::kReals:
        return Line();
      case Op::kEmpty:
        return RealSet{};
      case Op::kBracket:
        return Interval(node);
      case Op::kSet:
        return Points(node);
      case Op::kUnion:
      case Op::kIntersect:
      case Op::kWithout:
        return Combined(node);
      case Op::kRelation:
        return Inequality(node);
      case Op::kList:
        return Inequalities(node);
      default:
        return std::nullopt;
    }
  }

 private:
  bool ReadEnd(const Node* node, End* end) {
    if (node->op == Op::kInfinity) {
      end->infinite = 1;
      return true;
    }
    if (node->op == Op::kNegate && node->args[0]->op == Op::kInfinity) {
      end->infinite = -1;
      return true;
    }
    end->node = node;
    return RealValue(node, comparison_, &end->value);
  }

  std::optional<RealSet> Interval(const Node* node) {
    if (node->args.size() != 2) return std::nullopt;
    Piece piece;
    if (!ReadEnd(node->args[0], &piece.low) || !ReadEnd(node->args[1], &piece.high))
      return std::nullopt;
    piece.low_open = node->left_open || piece.low.infinite != 0;
    piece.high_open = node->right_open || piece.high.infinite != 0;
    return Merged({piece});
  }

  std::optional<RealSet> Points(const Node* node) {
    RealSet set;
    for (const Node* arg : node->args) {
      Piece piece;
      if (!ReadEnd(arg, &piece.low) || piece.low.infinite != 0) return std::nullopt;
      piece.high = piece.low;
      set.push_back(piece);
    }
    return Merged(std::move(set));
  }

  std::optional<RealSet> Combined(const Node* node) {
    auto left = Read(node->args[0]), right = Read(node->args[1]);
    if (!left || !right) return std::nullopt;
    comparison_.budget->Take(static_cast<int64_t>(left->size() * right->size() + 8));
    if (node->op == Op::kIntersect) return Intersection(*left, *right);
    if (node->op == Op::kWithout) return Intersection(*left, Complement(*right));
    left->insert(left->end(), right->begin(), right->end());
    return Merged(std::move(*left));
  }

  // The part of the line where `relation` holds between the name and the number `end`.
  static RealSet Side(Relation relation, const End& end, bool name_first) {
    Piece piece = Line()[0];
    const bool less = relation == Relation::kLess || relation == Relation::kLessEqual;
    const bool closed = relation == Relation::kLessEqual || relation == Relation::kGreaterEqual;
    if (relation == Relation::kNotEqual) {
      Piece point;
      point.low = point.high = end;
      return Complement({point});
    }
    if (less == name_first) {
      piece.high = end;
      piece.high_open = !closed || end.infinite != 0;
    } else {
      piece.low = end;
      piece.low_open = !closed || end.infinite != 0;
    }
    return Merged({piece});
  }

  std::optional<RealSet> Inequality(const Node* node) {
    if (node->relations.size() == 1 && node->relations[0] == Relation::kIn) {
      return IsNameLike(node->args[0]) ? Read(node->args[1]) : std::nullopt;
    }
    if (node->args.size() > 3) return std::nullopt;
    const size_t middle = node->args.size() == 3 || !IsNameLike(node->args[0]) ? 1 : 0;
    const Node* name = node->args[middle];
    if (!IsNameLike(name)) return std::nullopt;
    RealSet set = Line();
    for (size_t i = 0; i < node->relations.size(); ++i) {
      const Relation relation = node->relations[i];
      if (relation == Relation::kEqual || relation == Relation::kApprox ||
          relation == Relation::kIn)
        return std::nullopt;
      End end;
      const bool name_first = i == middle;
      if (!ReadEnd(node->args[name_first ? i + 1 : i], &end)) return std::nullopt;
      set = Intersection(set, Side(relation, end, name_first));
    }
    return name->op == Op::kAbsolute ? Mirrored(set) : set;
  }

  // The numbers whose absolute value is in `set`.
  RealSet Mirrored(const RealSet& set) {
    Piece positive = Line()[0];
    positive.low = End{.infinite = 0, .node = comparison_.arena->Number(0)};
    mpc_set_ui(positive.low.value.get(), 0, MPC_RNDNN);
    positive.low_open = false;
    RealSet out = Intersection(set, {positive});
    const size_t pieces = out.size();
    for (size_t i = 0; i < pieces; ++i) {
      Piece mirror;
      mirror.low = Negated(out[i].high);
      mirror.high = Negated(out[i].low);
      mirror.low_open = out[i].high_open;
      mirror.high_open = out[i].low_open;
      out.push_back(mirror);
    }
    return Merged(std::move(out));
  }

  End Negated(const End& end) {
    End out = end;
    out.infinite = -end.infinite;
    if (end.node) out.node = comparison_.arena->New(Op::kNegate, {end.node});
    mpc_neg(out.value.get(), end.value.get(), MPC_RNDNN);
    return out;
  }

  std::optional<RealSet> Inequalities(const Node* node) {
    std::optional<RealSet> set;
    for (const Node* arg : node->args) {
      const bool interval = arg->op == Op::kBracket && node->name == "or";
      if (arg->op != Op::kRelation && !interval) return std::nullopt;
      auto next = Read(arg);
      if (!next) return std::nullopt;
      if (!set) {
        set = std::move(next);
      } else if (node->name == "or") {
        set->insert(set->end(), next->begin(), next->end());
        set = Merged(std::move(*set));
      } else {
        set = Intersection(*set, *next);
      }
    }
    return set;
  }

  const Comparison& comparison_;
};

Tri SameEnd(const End& a, const End& b, const Comparison& comparison) {
  if (a.infinite != b.infinite) return Tri::kNo;
  return a.infinite != 0 ? Tri::kYes : SameScalar(a.node, b.node, comparison);
}

}  // namespace

bool IsNameLike(const Node* node) {
  switch (node->op) {
    case Op::kVariable:
    case Op::kCall:
    case Op::kEuler:
    case Op::kImaginary:
    case Op::kText:
      return true;
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kAbsolute:
    case Op::kRatio:
    case Op::kBracket:
    case Op::kList:
      return std::all_of(node->args.begin(), node->args.end(), IsNameLike);
    default:
      return false;
  }
}

std::optional<RealSet> ToRealSet(const Node* node, const Comparison& comparison) {
  auto set = Reader(comparison).Read(node);
  if (comparison.budget->spent) return std::nullopt;
  return set;
}

Tri SameRealSet(const RealSet& a, const RealSet& b, const Comparison& comparison) {
  if (a.size() != b.size()) return Tri::kNo;
  Tri result = Tri::kYes;
  for (size_t i = 0; i < a.size(); ++i) {
    if (a[i].low_open != b[i].low_open || a[i].high_open != b[i].high_open) return Tri::kNo;
    for (const Tri tri :
         {SameEnd(a[i].low, b[i].low, comparison), SameEnd(a[i].high, b[i].high, comparison)}) {
      if (tri == Tri::kNo) return tri;
      if (tri == Tri::kUnknown) result = tri;
    }
  }
  return result;
}

}  // namespace hone::math
