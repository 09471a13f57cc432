#include "policy/text/tokenizer_model.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "policy/text/models/bpe.h"
#include "policy/text/models/unigram.h"
#include "policy/text/models/word_piece.h"

namespace hone {
namespace {

// Looking up a prefix of the text walks as far as the longest piece: what a hostile file could make
// costly. Published pieces have up to some hundred bytes.
constexpr size_t kLongestPiece = 4096;

// The double nearest to 10^exponent, for 0 to 308.
double PowerOfTen(int exponent) {
  const std::string text = fmt::format("1e{}", exponent);
  double power = 0;
  std::from_chars(text.data(), text.data() + text.size(), power);
  return power;
}

void CheckLength(const TokenizerJson& file, const std::string& piece, const std::string& where) {
  if (piece.size() > kLongestPiece) {
    file.Fail(where,
              fmt::format("a piece of {} bytes, expected at most {}", piece.size(), kLongestPiece));
  }
}

void ReadVocabulary(const TokenizerJson& file, const Json& model, Vocabulary* vocabulary) {
  for (const auto& [piece, id] : file.Object(model, "vocab", "model").items()) {
    const std::string where = "model.vocab";
    CheckLength(file, piece, where);
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      file.Id(id, fmt::format("{}[{}]", where, TokenizerJson::Quote(piece)));  // throws
    }
    vocabulary->emplace(piece, id.get<int32_t>());
  }
}

class MergeReader {
 public:
  MergeReader(const TokenizerJson& file, const Vocabulary& vocabulary, const std::string& prefix)
      : file_(file), vocabulary_(vocabulary), prefix_(prefix) {}

  std::vector<BpeMerge> Run(const Json& merges) {
    if (!merges.is_array()) file_.Fail("model.merges", "is missing: a BPE model has an array here");
    std::vector<BpeMerge> list;
    list.reserve(merges.size());
    for (place_ = 0; place_ < merges.size(); ++place_) {
      const Json& merge = merges[place_];
      // The head of merges.txt, carried over by old files.
      if (merge.is_string() && merge.get_ref<const std::string&>().starts_with("#version"))
        continue;
      const auto [left, right] = Parts(merge);
      if (!right.starts_with(prefix_)) {
        Fail(fmt::format("{} does not begin with the prefix of a word's later symbols",
                         TokenizerJson::Quote(right)));
      }
      list.push_back({Id(left), Id(right), Id(left + right.substr(prefix_.size()))});
    }
    return list;
  }

 private:
  [[noreturn]] void Fail(const std::string& message) const {
    file_.Fail(fmt::format("model.merges[{}]", place_), message);
  }

  std::pair<std::string, std::string> Parts(const Json& merge) const {
    if (merge.is_string()) {
      const auto& text = merge.get_ref<const std::string&>();
      const size_t space = text.find(' ');
      if (space == std::string::npos || text.find(' ', space + 1) != std::string::npos) {
        Fail(fmt::format("expected two pieces with a space between, found {}",
                         TokenizerJson::Quote(text)));
      }
      return {text.substr(0, space), text.substr(space + 1)};
    }
    if (!merge.is_array() || merge.size() != 2 || !merge[0].is_string() || !merge[1].is_string()) {
      Fail("expected \"left right\" or [\"left\", \"right\"]");
    }
    return {merge[0].get<std::string>(), merge[1].get<std::string>()};
  }

  int32_t Id(const std::string& piece) const {
    const auto found = vocabulary_.find(piece);
    if (found == vocabulary_.end()) {
      Fail(fmt::format("{} is not in model.vocab", TokenizerJson::Quote(piece)));
    }
    return found->second;
  }

  const TokenizerJson& file_;
  const Vocabulary& vocabulary_;
  const std::string& prefix_;
  size_t place_ = 0;
};

std::unique_ptr<TokenModel> ReadBpe(const TokenizerJson& file, const Json& model, bool byte_level,
                                    Vocabulary* vocabulary) {
  const Json& dropout = TokenizerJson::Get(model, "dropout");
  if (!dropout.is_null() && dropout != 0) {
    file.Fail("model.dropout", "is not supported: it makes ids random");
  }
  BpeSettings settings;
  settings.byte_level = byte_level;
  settings.ignore_merges = file.Bool(model, "ignore_merges", "model", false);
  settings.byte_fallback = file.Bool(model, "byte_fallback", "model", false);
  settings.fuse_unknown = file.Bool(model, "fuse_unk", "model", false);
  if (TokenizerJson::Present(model, "unk_token")) {
    settings.unknown = file.String(model, "unk_token", "model");
  }
  settings.prefix = file.String(model, "continuing_subword_prefix", "model", "");
  settings.suffix = file.String(model, "end_of_word_suffix", "model", "");
  ReadVocabulary(file, model, vocabulary);
  const auto merges =
      MergeReader(file, *vocabulary, settings.prefix).Run(TokenizerJson::Get(model, "merges"));
  return std::make_unique<Bpe>(*vocabulary, merges, std::move(settings));
}

// A number as serde_json, which Hugging Face reads the file with, has it: its shortest digits as a
// whole number, then one product or quotient with a power of ten, off by a bit at times. Of two
// paths as good as each other, such bits choose.
double AsSerdeReads(double value) {
  std::array<char, 32> text{};
  const double size = std::abs(value);
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), size, std::chars_format::scientific)
          .ptr;
  const std::string_view shown(text.data(), static_cast<size_t>(end - text.data()));
  const size_t e = shown.find('e');
  if (e == std::string_view::npos || size == 0) return value;
  uint64_t digits = 0;
  int exponent = 0;
  for (const char c : shown.substr(0, e)) {
    if (c != '.') digits = digits * 10 + static_cast<uint64_t>(c - '0');
  }
  const std::string_view power = shown.substr(e + (shown[e + 1] == '+' ? 2 : 1));
  std::from_chars(power.data(), power.data() + power.size(), exponent);
  exponent -= static_cast<int>(e >= 2 ? e - 2 : 0);  // digits behind the point
  auto read = static_cast<double>(digits);
  for (; exponent < -308; exponent += 308) read /= 1e308;
  const double ten = PowerOfTen(std::abs(exponent));
  return std::copysign(exponent < 0 ? read / ten : read * ten, value);
}

std::unique_ptr<TokenModel> ReadUnigram(const TokenizerJson& file, const Json& model,
                                        bool byte_level, Vocabulary* vocabulary) {
  UnigramSettings settings;
  settings.byte_level = byte_level;
  settings.byte_fallback = file.Bool(model, "byte_fallback", "model", false);
  std::vector<std::pair<std::string, double>> pieces;
  file.ForEach(model, "vocab", "model", [&](const Json& piece, const std::string& where) {
    if (!piece.is_array() || piece.size() != 2 || !piece[0].is_string() || !piece[1].is_number()) {
      file.Fail(where, "expected a piece and its score");
    }
    pieces.emplace_back(piece[0].get<std::string>(), AsSerdeReads(piece[1].get<double>()));
    const std::string& text = pieces.back().first;
    CheckLength(file, text, where);
    if (!vocabulary->emplace(text, static_cast<int32_t>(pieces.size() - 1)).second) {
      file.Fail(where, fmt::format("{} stands here twice", TokenizerJson::Quote(text)));
    }
  });
  if (TokenizerJson::Present(model, "unk_id")) {
    settings.unknown_id = file.Id(TokenizerJson::Get(model, "unk_id"), "model.unk_id");
    if (static_cast<size_t>(settings.unknown_id) >= pieces.size()) {
      file.Fail("model.unk_id", fmt::format("{} is out of range: there are {} pieces",
                                            settings.unknown_id, pieces.size()));
    }
  }
  return std::make_unique<Unigram>(*vocabulary, pieces, settings);
}

std::unique_ptr<TokenModel> ReadWordPiece(const TokenizerJson& file, const Json& model,
                                          bool byte_level, Vocabulary* vocabulary) {
  WordPieceSettings settings;
  settings.byte_level = byte_level;
  settings.unknown = file.String(model, "unk_token", "model", "[UNK]");
  settings.prefix = file.String(model, "continuing_subword_prefix", "model", "##");
  settings.most_characters = file.Count(model, "max_input_chars_per_word", "model", 100);
  ReadVocabulary(file, model, vocabulary);
  return std::make_unique<WordPiece>(*vocabulary, std::move(settings));
}

// Files written before the models were told apart have no type; their keys still tell.
std::string TypeOf(const TokenizerJson& file, const Json& model) {
  if (TokenizerJson::Present(model, "type")) return file.String(model, "type", "model");
  if (TokenizerJson::Get(model, "vocab").is_array()) return "Unigram";
  return TokenizerJson::Present(model, "max_input_chars_per_word") ? "WordPiece" : "BPE";
}

}  // namespace

std::unique_ptr<TokenModel> ReadModel(const TokenizerJson& file, const Json& part, bool byte_level,
                                      Vocabulary* vocabulary) {
  const std::string type = TypeOf(file, part);
  if (type == "BPE") return ReadBpe(file, part, byte_level, vocabulary);
  if (type == "Unigram") return ReadUnigram(file, part, byte_level, vocabulary);
  if (type == "WordPiece") return ReadWordPiece(file, part, byte_level, vocabulary);
  file.FailType("model.type", type, "BPE, Unigram or WordPiece");
}

}  // namespace hone
