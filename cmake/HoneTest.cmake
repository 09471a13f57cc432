# hone_test(FOLDER SOURCES ... [DEPENDS ...]): one GoogleTest binary a test folder.
# Each test is a ctest entry of its own, so that a failure is named and two run side by side.
include(GoogleTest)
function(hone_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS" ${ARGN})
  add_executable(test_${folder} ${ARG_SOURCES})
  target_include_directories(test_${folder} PRIVATE ${CMAKE_SOURCE_DIR}/tests)  # random_cases.h
  target_link_libraries(test_${folder} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main hone_flags)
  target_compile_definitions(test_${folder} PRIVATE HONE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                    HONE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  gtest_discover_tests(test_${folder} TEST_PREFIX ${folder}/ DISCOVERY_TIMEOUT 60 PROPERTIES TIMEOUT 600)
endfunction()
