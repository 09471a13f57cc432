#include "policy/files/safetensors_header.h"

#include <fmt/format.h>

#include <unordered_set>

#include "common/error.h"
#include "common/json.h"

namespace hone {
namespace {

constexpr size_t kMostTensors = 1 << 17;
constexpr int kMostNesting = 64;
// Far above what is written anywhere; they keep what is made of a header near its own size.
constexpr size_t kMostAxes = 64;
constexpr size_t kMostKeys = 1 << 16;   // of the metadata, or of a tensor's entry
constexpr size_t kLongestQuoted = 200;  // bytes of a name that an error repeats

// Called by the JSON parser for each token of the header.
class HeaderReader : public nlohmann::json_sax<Json> {
 public:
  explicit HeaderReader(const std::filesystem::path& path) : path_(path.string()) {}
  SafetensorsHeader header;

  bool start_object(size_t) override {
    Enter();
    if (ignored_ > 0) return true;
    if (place_ == Place::kStart) {
      place_ = Place::kTop;
    } else if (place_ == Place::kTop && depth_ == 2) {
      place_ = name_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
      keys_.clear();
      if (place_ == Place::kTensor) {
        if (header.tensors.size() == kMostTensors) {
          Fail("header", fmt::format("more than {} tensors in one file", kMostTensors));
        }
        header.tensors.push_back({name_, "", {}, 0, 0});
      }
    } else {
      Wrong("an object");
    }
    return true;
  }

  bool end_object() override {
    Leave();
    if (ignored_ > 0) return Ignore();
    if (place_ == Place::kTensor) {
      for (const char* key : {"dtype", "shape", "data_offsets"}) {
        if (!keys_.contains(key)) Fail(Where(), fmt::format("{} is missing", key));
      }
    }
    place_ = place_ == Place::kTop ? Place::kEnd : Place::kTop;
    return true;
  }

  bool key(std::string& key) override {
    if (ignored_ > 0) return true;
    auto& keys = place_ == Place::kTop ? names_ : keys_;
    if (place_ == Place::kTop) {
      name_ = key;
    } else {
      key_ = key;
    }
    if (place_ != Place::kTop && keys.size() == kMostKeys)
      Fail(Where(), fmt::format("more than {} keys", kMostKeys));
    if (!keys.insert(key).second)
      Fail(Where(), fmt::format("the key {} stands here twice", Quote(key)));
    // The format allows keys of other writers in a tensor's entry; whatever they hold is passed
    // over.
    if (place_ == Place::kTensor && key != "dtype" && key != "shape" && key != "data_offsets")
      ignored_ = depth_;
    return true;
  }

  bool start_array(size_t) override {
    Enter();
    if (ignored_ > 0) return true;
    if (place_ != Place::kTensor || key_ == "dtype") Wrong("an array");
    place_ = key_ == "shape" ? Place::kShape : Place::kOffsets;
    offsets_ = 0;
    return true;
  }

  bool end_array() override {
    Leave();
    if (ignored_ > 0) return Ignore();
    if (place_ == Place::kOffsets && offsets_ != 2) {
      Fail(Where(), fmt::format("data_offsets has {} numbers, expected 2", offsets_));
    }
    place_ = Place::kTensor;
    return true;
  }

  bool number_unsigned(uint64_t value) override {
    if (ignored_ > 0) return Ignore();
    if (place_ == Place::kShape) {
      if (value > INT64_MAX) Fail(Where(), fmt::format("the size {} in shape is too large", value));
      std::vector<int64_t>& shape = header.tensors.back().shape;
      if (shape.size() == kMostAxes)
        Fail(Where(), fmt::format("shape has more than {} sizes", kMostAxes));
      shape.push_back(static_cast<int64_t>(value));
    } else if (place_ == Place::kOffsets) {
      if (offsets_ < 2)
        (offsets_ == 0 ? header.tensors.back().begin : header.tensors.back().end) = value;
      ++offsets_;
    } else {
      Wrong(fmt::format("{}", value));
    }
    return true;
  }

  bool string(std::string& value) override {
    if (ignored_ > 0) return Ignore();
    if (place_ == Place::kMetadata) {
      header.metadata[key_] = value;
    } else if (place_ == Place::kTensor && key_ == "dtype") {
      header.tensors.back().dtype = value;
    } else {
      Wrong(Quote(value));
    }
    return true;
  }

  bool null() override {
    if (ignored_ > 0) return Ignore();
    if (place_ != Place::kTop || name_ != "__metadata__") Wrong("null");
    return true;
  }
  bool boolean(bool value) override { return Odd(value ? "true" : "false"); }
  bool number_integer(int64_t value) override {
    return Odd(fmt::format("{}", value));
  }  // below zero
  bool number_float(double, const std::string& text) override { return Odd(text); }
  bool binary(Json::binary_t&) override { return Odd("bytes"); }

  bool parse_error(size_t position, const std::string&, const Json::exception&) override {
    Fail(fmt::format("byte {} of the header", position), "expected JSON, found something else");
  }

 private:
  enum class Place { kStart, kTop, kMetadata, kTensor, kShape, kOffsets, kEnd };

  [[noreturn]] void Fail(const std::string& where, const std::string& message) const {
    throw FileError(path_, where, message);
  }
  static std::string Quote(const std::string& text) {
    return Dump(Json(text.size() <= kLongestQuoted ? text : text.substr(0, kLongestQuoted) + "…"));
  }
  std::string Where() const {
    return name_.empty() ? "header" : fmt::format("tensor {}", Quote(name_));
  }
  [[noreturn]] void Wrong(const std::string& found) const {
    switch (place_) {
      case Place::kTop:
        Fail(Where(), fmt::format("expected an object, found {}", found));
      case Place::kMetadata:
        Fail("__metadata__", fmt::format("{} is {}, expected a string", Quote(key_), found));
      case Place::kTensor:
        Fail(Where(), fmt::format("{} is {}", key_, found));
      case Place::kShape:
        Fail(Where(), fmt::format("shape holds {}, expected whole numbers from 0 up", found));
      case Place::kOffsets:
        Fail(Where(),
             fmt::format("data_offsets holds {}, expected whole numbers from 0 up", found));
      default:
        Fail("header", fmt::format("expected a JSON object, found {}", found));
    }
  }
  bool Odd(const std::string& found) {
    if (ignored_ > 0) return Ignore();
    Wrong(found);
  }
  // A value under an unknown key has ended: the next key counts again once its depth is reached.
  bool Ignore() {
    if (depth_ == ignored_) ignored_ = 0;
    return true;
  }
  void Enter() {
    if (++depth_ > kMostNesting) Fail("header", fmt::format("nested deeper than {}", kMostNesting));
  }
  void Leave() { --depth_; }

  std::string path_;
  Place place_ = Place::kStart;
  int depth_ = 0;
  int ignored_ = 0;  // depth of the object whose unknown key is being passed over; 0: none
  int offsets_ = 0;  // numbers of data_offsets seen
  std::string name_, key_;
  std::unordered_set<std::string> names_, keys_;
};

}  // namespace

SafetensorsHeader ParseSafetensorsHeader(std::string_view json, const std::filesystem::path& path) {
  HeaderReader reader(path);
  // The parser would take a NUL for the end of its input.
  if (const size_t nul = json.find('\0'); nul != std::string_view::npos) {
    throw FileError(path.string(), fmt::format("byte {} of the header", nul + 1),
                    "expected JSON, found something else");
  }
  Json::sax_parse(json.begin(), json.end(), &reader);
  return std::move(reader.header);
}

int64_t SafetensorsDtypeSize(std::string_view dtype) {
  for (const std::string_view one :
       {"BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    if (dtype == one) return 1;
  }
  for (const std::string_view two : {"I16", "U16", "F16", "BF16"}) {
    if (dtype == two) return 2;
  }
  for (const std::string_view four : {"I32", "U32", "F32"}) {
    if (dtype == four) return 4;
  }
  for (const std::string_view eight : {"I64", "U64", "F64", "C64"}) {
    if (dtype == eight) return 8;
  }
  return 0;
}

}  // namespace hone
