// For safetensors_parity.py: reads paths, one a line, and prints "accepted" or why not.
#include <iostream>
#include <string>

#include "common/error.h"
#include "policy/files/safetensors.h"

int main() {
  for (std::string path; std::getline(std::cin, path);) {
    std::string verdict = "accepted";
    try {
      const hone::SafetensorsFile file(path);
    } catch (const hone::FileError& error) {
      verdict = error.what();
    }
    for (char& c : verdict) {
      if (c == '\n') c = ' ';
    }
    std::cout << verdict << '\n';
  }
}
