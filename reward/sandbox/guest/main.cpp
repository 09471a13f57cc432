#include <unistd.h>

#include <cstdio>
#include <cstring>

#include "reward/sandbox/guest/guest.h"

int main(int count, char** arguments) {
  if (count > 1) {
    const char* role = arguments[1];
    if (std::strcmp(role, "launch") == 0) return hone::sandbox::Launch(count - 2, arguments + 2);
    if (std::strcmp(role, "supervise") == 0) {
      return hone::sandbox::Supervise(count - 2, arguments + 2);
    }
    if (std::strcmp(role, "probe") == 0) return hone::sandbox::Probe(count - 2, arguments + 2);
    if (std::strcmp(role, "spin") == 0) return hone::sandbox::Spin();
    if (std::strcmp(role, "sleep") == 0) return pause();
  }
  std::fprintf(stderr, "hone_sandbox: started by hone, not by hand (docs/sandbox.md)\n");
  return 2;
}
