# The project's own build vocabulary: three kinds of target, one set of flags.
#
#   stampede_layer(<target> AS <include/path> [SOURCES ...] [HEADERS ...] [USES ...] [PRIVATE ...])
#       A static library whose headers live beside its sources. Users of the target include them as
#       "<include/path>/<header>"; nobody else can, because the include folder holds this layer only.
#       USES are the layers and libraries that its headers need, PRIVATE those of its sources alone.
#   stampede_program(<target> NAME <executable> SOURCES ... USES ...)
#   stampede_unit_test(<path/of/source_test.c> USES ...)
#       A cmocka program run by ctest; its name is its path.

option(STAMPEDE_FUZZ "Build the libFuzzer drivers (clang)" OFF)
option(STAMPEDE_COVERAGE "Instrument for gcov" OFF)
set(STAMPEDE_SANITIZE "" CACHE STRING "Value of -fsanitize= for everything of ours")

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON) # h2o.h needs gnu11
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE Release)
endif()
# Assertions stay on in release: no -DNDEBUG.
set(CMAKE_C_FLAGS_RELEASE "-O2 -g")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# Every library of the distribution becomes one imported target; its headers count as system
# headers, so our warnings speak of our code only. With shared libraries the direct dependency is
# enough at link time, which keeps gRPC's thirty abseil modules off the link line.
function(stampede_package target)
    cmake_parse_arguments(P "" "" "MODULES;LIBRARIES;DEFINITIONS" ${ARGN})
    pkg_check_modules(${target}_pc REQUIRED ${P_MODULES})
    add_library(${target} INTERFACE IMPORTED GLOBAL)
    target_include_directories(${target} SYSTEM INTERFACE ${${target}_pc_INCLUDE_DIRS})
    list(TRANSFORM P_LIBRARIES PREPEND "-l") # a bare name would mean our target of that name
    target_link_libraries(${target} INTERFACE ${P_LIBRARIES})
    target_compile_definitions(${target} INTERFACE ${P_DEFINITIONS})
endfunction()

stampede_package(grpc_core MODULES grpc LIBRARIES grpc gpr)
stampede_package(protobuf_c MODULES libprotobuf-c LIBRARIES protobuf-c)
stampede_package(h2o_evloop MODULES libh2o-evloop openssl zlib
                 LIBRARIES h2o-evloop ssl crypto z DEFINITIONS H2O_USE_LIBUV=0)
stampede_package(pq MODULES libpq LIBRARIES pq)
stampede_package(crypto MODULES libcrypto LIBRARIES crypto)
stampede_package(yajl MODULES yajl LIBRARIES yajl)
stampede_package(jansson MODULES jansson LIBRARIES jansson)
stampede_package(cmocka MODULES cmocka LIBRARIES cmocka)
stampede_package(curl MODULES libcurl LIBRARIES curl)

add_library(stampede_flags INTERFACE)
target_compile_options(stampede_flags INTERFACE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes -Wmissing-prototypes
    -Wformat=2 -Wimplicit-fallthrough -Wundef -Wvla -Wpointer-arith -Wwrite-strings -Werror
    -fno-common -fstack-protector-strong)
target_compile_definitions(stampede_flags INTERFACE _GNU_SOURCE)
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(stampede_flags INTERFACE _FORTIFY_SOURCE=2)
endif()
target_link_libraries(stampede_flags INTERFACE Threads::Threads)
target_link_options(stampede_flags INTERFACE -Wl,--as-needed -Wl,-z,relro,-z,now)

# Sanitizers and coverage are for everything that is compiled here, generated code included.
if(STAMPEDE_SANITIZE)
    add_compile_options(-fsanitize=${STAMPEDE_SANITIZE} -fno-omit-frame-pointer
                        -fno-sanitize-recover=all)
    add_link_options(-fsanitize=${STAMPEDE_SANITIZE})
endif()
if(STAMPEDE_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
if(STAMPEDE_COVERAGE)
    add_compile_options(--coverage)
    add_link_options(--coverage)
endif()

# One translation unit per header, holding nothing else: every header compiles alone.
function(_stampede_check_headers target include_path headers)
    set(units)
    foreach(header IN LISTS headers)
        string(MAKE_C_IDENTIFIER "${include_path}/${header}" id)
        set(unit "${CMAKE_BINARY_DIR}/header-check/${id}.c")
        file(CONFIGURE OUTPUT "${unit}"
             CONTENT "#include \"${include_path}/${header}\"\nextern int ${id}_compiles_alone;\n")
        list(APPEND units "${unit}")
    endforeach()
    if(units)
        add_library(${target}_headers OBJECT ${units})
        target_link_libraries(${target}_headers PRIVATE ${target} stampede_flags)
    endif()
endfunction()

function(stampede_layer target)
    cmake_parse_arguments(L "" "AS" "SOURCES;HEADERS;USES;PRIVATE" ${ARGN})
    set(root "${CMAKE_BINARY_DIR}/include/${target}")
    get_filename_component(parent "${root}/${L_AS}" DIRECTORY)
    file(MAKE_DIRECTORY "${parent}")
    file(CREATE_LINK "${CMAKE_CURRENT_SOURCE_DIR}" "${root}/${L_AS}" SYMBOLIC)
    if(L_SOURCES)
        add_library(${target} STATIC ${L_SOURCES} ${L_HEADERS})
        target_include_directories(${target} PUBLIC "${root}")
        target_link_libraries(${target} PUBLIC ${L_USES} PRIVATE ${L_PRIVATE} stampede_flags)
    else()
        add_library(${target} INTERFACE)
        target_include_directories(${target} INTERFACE "${root}")
        target_link_libraries(${target} INTERFACE ${L_USES})
    endif()
    _stampede_check_headers(${target} "${L_AS}" "${L_HEADERS}")
endfunction()

function(stampede_program target)
    cmake_parse_arguments(P "" "NAME" "SOURCES;USES" ${ARGN})
    add_executable(${target} ${P_SOURCES})
    set_target_properties(${target} PROPERTIES OUTPUT_NAME ${P_NAME}
                          RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
    target_link_libraries(${target} PRIVATE ${P_USES} stampede_flags)
endfunction()

# What the sanitizers are told at run time; leak detection is never turned off.
set(STAMPEDE_TEST_ENVIRONMENT
    "ASAN_OPTIONS=detect_leaks=1:strict_string_checks=1:detect_stack_use_after_return=1"
    "UBSAN_OPTIONS=print_stacktrace=1"
    "LSAN_OPTIONS=suppressions=${CMAKE_SOURCE_DIR}/tests/support/lsan.supp:print_suppressions=0"
    "TSAN_OPTIONS=ignore_noninstrumented_modules=1:halt_on_error=1:second_deadlock_stack=1")

function(stampede_test name)
    cmake_parse_arguments(T "" "TIMEOUT" "COMMAND;LABELS;ENVIRONMENT" ${ARGN})
    # A bound for what hangs; how long tests take on a busy machine is nobody's mistake.
    if(NOT T_TIMEOUT)
        set(T_TIMEOUT 300)
    endif()
    add_test(NAME ${name} COMMAND ${T_COMMAND})
    set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}"
                         ENVIRONMENT "${STAMPEDE_TEST_ENVIRONMENT};${T_ENVIRONMENT}")
endfunction()

# A unit test's name is its path below tests/: unit/libs/base/arena_test.
function(stampede_unit_test source)
    cmake_parse_arguments(T "" "TIMEOUT" "USES;SOURCES;LABELS;ENVIRONMENT" ${ARGN})
    cmake_path(SET path "${CMAKE_CURRENT_SOURCE_DIR}/${source}")
    cmake_path(RELATIVE_PATH path BASE_DIRECTORY "${CMAKE_SOURCE_DIR}/tests")
    cmake_path(REMOVE_EXTENSION path OUTPUT_VARIABLE name)
    string(MAKE_C_IDENTIFIER "${name}" target)
    add_executable(${target} ${source} ${T_SOURCES})
    set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/tests")
    target_link_libraries(${target} PRIVATE ${T_USES} cmocka stampede_flags)
    if(NOT T_LABELS)
        set(T_LABELS unit)
    endif()
    stampede_test(${name} COMMAND ${target} TIMEOUT ${T_TIMEOUT} LABELS ${T_LABELS}
                  ENVIRONMENT ${T_ENVIRONMENT})
endfunction()

# A libFuzzer driver; runs its committed corpus as a test, and on demand for as long as asked.
function(stampede_fuzzer source)
    cmake_parse_arguments(F "" "CORPUS" "USES" ${ARGN})
    if(NOT STAMPEDE_FUZZ)
        return()
    endif()
    get_filename_component(name "${source}" NAME_WE)
    add_executable(${name} ${source})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/fuzz")
    target_link_libraries(${name} PRIVATE ${F_USES} stampede_flags)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    # What libFuzzer finds goes into the first folder; the committed corpus is only read.
    set(found "${CMAKE_BINARY_DIR}/fuzz/${name}-found")
    file(MAKE_DIRECTORY "${found}")
    stampede_test(fuzz/${name} COMMAND ${name} -runs=20000 -max_total_time=20 "${found}"
                  "${CMAKE_CURRENT_SOURCE_DIR}/${F_CORPUS}" TIMEOUT 90 LABELS fuzz)
endfunction()
