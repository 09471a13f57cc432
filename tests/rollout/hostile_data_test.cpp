#include "common/compression.h"
#include "hostile_bytes.h"
#include "packed_bytes.h"

namespace hone {
namespace {

TEST(HostileDataTest, MutatedTextAndArchivesAreReadOrRefusedByName) {
  const std::string lines = testing::ExampleRows();
  std::string array = "[" + lines;
  for (size_t at = array.find("}\n{"); at != std::string::npos; at = array.find("}\n{", at))
    array.replace(at, 3, "},{");
  array += "]";
  testing::ExpectMutantsAreReadOrRefused({lines, array, testing::Gzip(lines), Compress(lines),
                                          testing::Gzip(lines) + testing::Gzip(lines)},
                                         1500);
}

}  // namespace
}  // namespace hone
