#include "rollout/data_file.h"

#include <fmt/format.h>

#include <array>

#include "common/file.h"
#include "common/log.h"
#include "rollout/parquet_module.h"

namespace hone {
namespace {

constexpr std::string_view kBlank = " \t\r\n";
constexpr std::string_view kUtf8Mark = "\xef\xbb\xbf";
constexpr std::string_view kParquet = "PAR1";

// What people have at hand where a data file should be, and what to do with it.
struct OtherFormat {
  std::string_view start, name, remedy;
};
constexpr std::array kOtherFormats = {
    OtherFormat{"version https://git-lfs", "a pointer of Git LFS",
                "fetch the file by git lfs pull"},
    OtherFormat{"<", "HTML or XML", "fetch the file itself, not the page that shows it"},
    OtherFormat{"PK\x03\x04", "a zip archive", "unpack it"},
    OtherFormat{"\xfd"
                "7zXZ",
                "xz data", "unpack it"},
    OtherFormat{"BZh", "bzip2 data", "unpack it"},
    OtherFormat{"ARROW1", "an Arrow file", "write it as Parquet or JSON Lines"},
    OtherFormat{"\xff\xff\xff\xff", "an Arrow stream", "write it as Parquet or JSON Lines"},
    OtherFormat{"PARE", "encrypted Parquet", "decrypt it"},
};

void RefuseOtherFormats(std::string_view start, const std::string& name) {
  for (const OtherFormat& other : kOtherFormats) {
    if (!start.starts_with(other.start)) continue;
    throw FileError(name, "",
                    fmt::format("expected JSON Lines, a JSON array or Parquet, found {}: {}",
                                other.name, other.remedy));
  }
}

bool IsBlank(char c) { return kBlank.find(c) != std::string_view::npos; }

// Takes a JSON array apart, without understanding more of it than strings and brackets.
class ArrayReader {
 public:
  ArrayReader(ByteSource& source, const std::string& name, const RowHandler& handle)
      : source_(source), name_(name), handle_(handle) {}

  // From behind the opening bracket to the end of the source.
  void Read() {
    try {
      for (std::string_view part = source_.Peek(); !part.empty(); part = source_.Peek()) {
        for (const char c : part) Take(c);
        source_.Skip(part.size());
      }
    } catch (const DamagedBytes& error) {
      Fail(error.what());
    }
    if (!closed_) Fail("the file ends in the middle of the JSON array");
  }

 private:
  void Take(char c) {
    if (closed_) {
      if (!IsBlank(c)) Fail("expected nothing after the JSON array's end");
      return;
    }
    if (!in_string_ && depth_ == 0 && (c == ',' || c == ']')) return EndRow(c == ']');
    if (text_.empty() && IsBlank(c)) {
      if (++blank_ > kMaxLineBytes) Fail("expected a row, found nothing but blank");
      return;
    }
    if (in_string_) {
      in_string_ = escaped_ || c != '"';
      escaped_ = !escaped_ && c == '\\';
    } else if (c == '"') {
      in_string_ = true;
    } else if (c == '[' || c == '{') {
      ++depth_;
    } else if (c == ']' || c == '}') {
      --depth_;
    }
    text_ += c;
    if (text_.size() > kMaxLineBytes)
      Fail(fmt::format("expected at most {} MiB in a row", kMaxLineBytes >> 20));
  }

  void EndRow(bool closes) {
    closed_ = closes;
    if (closes && text_.empty() && number_ == 1) return;  // an empty array
    handle_({name_, "row", number_}, text_);
    ++number_;
    text_.clear();
    blank_ = 0;
  }

  [[noreturn]] void Fail(const std::string& message) const {
    throw FileError(name_, fmt::format("row {}", number_), message);
  }

  ByteSource& source_;
  const std::string& name_;
  const RowHandler& handle_;
  std::string text_;  // of the row at hand
  int64_t number_ = 1;
  size_t blank_ = 0;  // bytes before the row
  int64_t depth_ = 0;
  bool in_string_ = false, escaped_ = false, closed_ = false;
};

// Takes the opening bracket of a JSON array, and what is blank before it; false, and nothing is
// taken, when the source begins otherwise.
bool TakeOpeningBracket(ByteSource& source) {
  std::string_view start = source.Peek(4);
  const size_t mark = start.starts_with(kUtf8Mark) ? kUtf8Mark.size() : 0;
  size_t at = start.find_first_not_of(kBlank, mark);
  while (at == std::string_view::npos && start.size() < ByteSource::kMostPeeked) {
    const size_t seen = start.size();
    start = source.Peek(seen + 1);
    if (start.size() == seen) return false;  // nothing but blank
    at = start.find_first_not_of(kBlank, mark);
  }
  if (at == std::string_view::npos || start[at] != '[') return false;
  source.Skip(at + 1);
  return true;
}

void ReadParquet(const std::filesystem::path& path, const RowHandler& handle) {
  RowPlace place{path.string(), "row", 0};
  ForEachParquetRow(path, {.row =
                               [&](const std::string& text, int64_t number) {
                                 place.number = number;
                                 handle(place, text);
                               },
                           .left_out =
                               [&](const std::string& column, const std::string& type) {
                                 spdlog::warn("{}: column \"{}\" of type {} is left out",
                                              path.string(), column, type);
                               }});
}

}  // namespace

void RowPlace::Fail(const std::string& message, const std::string& reason) const {
  throw RowError(path, where(), message, reason);
}

void ForEachRow(const std::filesystem::path& path, const RowHandler& handle) {
  const std::unique_ptr<ByteSource> source = OpenBytes(path);
  bool parquet = false;
  try {
    parquet = source->Peek(kParquet.size()).starts_with(kParquet);
  } catch (const DamagedBytes&) {  // said below, with its line
  }
  if (parquet) return ReadParquet(path, handle);
  ForEachRow(*source, path.string(), handle);
}

void ForEachRow(ByteSource& source, const std::string& name, const RowHandler& handle) {
  bool array = false;
  try {
    const std::string_view start = source.Peek(kParquet.size());
    if (start.starts_with(kParquet)) {
      throw FileError(name, "", "expected JSON Lines or a JSON array, found Parquet: give a file");
    }
    RefuseOtherFormats(start, name);
    array = TakeOpeningBracket(source);
  } catch (const DamagedBytes& error) {
    throw FileError(name, "line 1", error.what());
  }
  if (array) return ArrayReader(source, name, handle).Read();
  RowPlace place{name, "line", 0};
  ForEachLine(source, name, [&](const std::string& line, int64_t number) {
    place.number = number;
    handle(place, line);
  });
}

Json ParseRow(const RowPlace& place, const std::string& text) {
  Json json;
  try {
    json = ParseJson(text);
  } catch (const BadJson& error) {
    place.Fail(error.what(), "no JSON object");
  }
  if (!json.is_object()) {
    place.Fail(fmt::format("expected a JSON object, found {}", json.type_name()), "no JSON object");
  }
  return json;
}

}  // namespace hone
