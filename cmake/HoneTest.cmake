# hone_test(FOLDER SOURCES ... [DEPENDS ...] [SUITES ...]): one GoogleTest binary a test folder.
# Each test is a ctest entry of its own, so that a failure is named and two run side by side. SUITES are those
# whose tests share a costly set-up: each is one entry.
include(GoogleTest)
function(hone_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;SUITES" ${ARGN})
  add_executable(test_${folder} ${ARG_SOURCES})
  target_link_libraries(test_${folder} PRIVATE ${ARG_DEPENDS} GTest::gtest GTest::gmock GTest::gtest_main hone_flags)
  target_compile_definitions(test_${folder} PRIVATE HONE_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
                                                    HONE_BINARY_DIR="${CMAKE_BINARY_DIR}")
  set(others "*")
  foreach(suite ${ARG_SUITES})
    add_test(NAME ${folder}/${suite} COMMAND test_${folder} --gtest_filter=${suite}.*)
    set_tests_properties(${folder}/${suite} PROPERTIES TIMEOUT 1200)
    string(APPEND others ":${suite}.*")
  endforeach()
  string(REPLACE "*:" "-" others "${others}")
  gtest_discover_tests(test_${folder} TEST_PREFIX ${folder}/ TEST_FILTER "${others}" DISCOVERY_TIMEOUT 60
                       PROPERTIES TIMEOUT 600)
endfunction()
