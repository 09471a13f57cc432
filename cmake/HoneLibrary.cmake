# hone_library(NAME SOURCES ... [DEPENDS hone_x ...] [LIBS outside ...])
#
# One static library a folder, named hone_NAME. Sources include "folder/file.h"; the folder is found
# through an include root that holds this folder alone, and a target sees the roots of its
# dependencies only: an include against the order of folders does not compile.
function(hone_library name)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBS" ${ARGN})
  set(root ${CMAKE_BINARY_DIR}/include_roots/${name})
  file(MAKE_DIRECTORY ${root})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${name} ${root}/${name} SYMBOLIC)
  add_library(hone_${name} STATIC ${ARG_SOURCES})
  target_include_directories(hone_${name} PUBLIC ${root})
  target_link_libraries(hone_${name} PUBLIC ${ARG_DEPENDS} ${ARG_LIBS} PRIVATE hone_flags)
endfunction()
