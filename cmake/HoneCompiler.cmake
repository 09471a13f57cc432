# Flags of every target. Numerics first: no contraction left to the compiler, no fast-math; what is
# fused is written as fma (docs/numerics.md).
find_program(HONE_CCACHE ccache)
if(HONE_CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${HONE_CCACHE})
endif()

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

add_library(hone_flags INTERFACE)
target_compile_options(hone_flags INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -ffp-contract=off
                                            -Wno-restrict  # GCC 12 sees overlaps in std::string that are none
                                            $<$<BOOL:${HONE_WERROR}>:-Werror>)
if(HONE_FUZZ)
  set(HONE_SANITIZE address,undefined)
  target_compile_options(hone_flags INTERFACE -fsanitize=fuzzer-no-link -fno-sanitize-recover=undefined)
endif()
if(HONE_SANITIZE)
  # Under a sanitizer GCC 12 takes std::regex for uninitialized.
  target_compile_options(hone_flags INTERFACE -fsanitize=${HONE_SANITIZE} -fno-omit-frame-pointer
                                            -Wno-maybe-uninitialized)
  target_link_options(hone_flags INTERFACE -fsanitize=${HONE_SANITIZE})
endif()
