# Fails when an object compiled for one instruction set defines a symbol that the linker may share with
# the rest of the program (weak, vague linkage): run as
#   cmake -DNM=nm -DOBJECTS=a.o,b.o -P isa_symbols_test.cmake
string(REPLACE "," ";" objects "${OBJECTS}")
foreach(object ${objects})
  execute_process(COMMAND ${NM} -C --defined-only ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX MATCHALL "[^\n]* [WwVvu] [^\n]*" shared "${symbols}")
  if(shared)
    string(REPLACE ";" "\n" shared "${shared}")
    message(FATAL_ERROR "${object} defines symbols that other objects may be linked to:\n${shared}")
  endif()
  if(NOT symbols MATCHES "hone::kernels::(scalar|avx2|avx512)::k")
    message(FATAL_ERROR "${object} defines no table of kernels: is this the right file?")
  endif()
endforeach()
