# Typed SQL (docs/typed-sql.md):
#
#   stampede_queries(<target> FOLDER <folder> AS <include/path> [CACHE <folder>] [USES ...])
#       Every <folder>/<name>.sql becomes the header "<include/path>/<name>.h" for the target, made
#       from the query and its committed cache entry; no database is needed. CACHE is <folder>/cache
#       unless it says otherwise. USES are the layers whose headers the queries name for their enums.
#       The header "<include/path>/<target>_queries.h" lists all their statements, for the session's
#       config. The target's sources must use each query; call it after the target has got them.

# Names of queries are those of C functions: one program cannot have two of a name.
define_property(GLOBAL PROPERTY STAMPEDE_QUERY_FILES BRIEF_DOCS "Each query's file")

function(_stampede_claim_query sql)
    get_filename_component(name "${sql}" NAME)
    get_property(others GLOBAL PROPERTY STAMPEDE_QUERY_FILES)
    foreach(other IN LISTS others)
        get_filename_component(other_name "${other}" NAME)
        if(other_name STREQUAL name)
            message(FATAL_ERROR "${sql}:1: error: there are two queries of this name; the other is "
                                "${other}")
        endif()
    endforeach()
    set_property(GLOBAL APPEND PROPERTY STAMPEDE_QUERY_FILES "${sql}")
endfunction()

function(stampede_queries target)
    cmake_parse_arguments(Q "" "FOLDER;CACHE;AS" "USES" ${ARGN})
    cmake_path(ABSOLUTE_PATH Q_FOLDER BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    if(NOT Q_CACHE)
        set(Q_CACHE "${Q_FOLDER}/cache")
    endif()
    cmake_path(ABSOLUTE_PATH Q_CACHE BASE_DIRECTORY "${CMAKE_CURRENT_SOURCE_DIR}")
    # Errors name files as people know them: from the root of the sources.
    cmake_path(RELATIVE_PATH Q_FOLDER BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" OUTPUT_VARIABLE folder)
    cmake_path(RELATIVE_PATH Q_CACHE BASE_DIRECTORY "${CMAKE_SOURCE_DIR}" OUTPUT_VARIABLE cache)
    set(root "${CMAKE_BINARY_DIR}/typedsql/${target}")
    file(MAKE_DIRECTORY "${root}/${Q_AS}")
    file(GLOB queries CONFIGURE_DEPENDS "${Q_FOLDER}/*.sql")
    # A query that was never prepared is an error of the build, not of the build's own rules.
    file(GLOB entries CONFIGURE_DEPENDS "${Q_CACHE}/*.json")
    set(generated "")
    set(names "")
    foreach(sql IN LISTS queries)
        _stampede_claim_query("${sql}")
        get_filename_component(name "${sql}" NAME_WE)
        set(entry "${Q_CACHE}/${name}.json")
        if(NOT entry IN_LIST entries)
            set(entry "")
        endif()
        add_custom_command(
            OUTPUT "${root}/${Q_AS}/${name}.h" "${root}/${Q_AS}/${name}.c"
            COMMAND typedsql generate "${folder}/${name}.sql" "${cache}/${name}.json" "${Q_AS}"
                    "${root}/${Q_AS}"
            DEPENDS typedsql "${sql}" ${entry}
            WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
            COMMENT "Typed SQL: ${name}" VERBATIM)
        list(APPEND generated "${root}/${Q_AS}/${name}.c")
        list(APPEND names "${name}")
    endforeach()
    set(list "${root}/${Q_AS}/${target}_queries")
    add_custom_command(
        OUTPUT "${list}.h" "${list}.c"
        COMMAND typedsql list "${target}_queries" "${Q_AS}" "${root}/${Q_AS}" ${names}
        DEPENDS typedsql
        COMMENT "Typed SQL: the list of ${target}'s statements" VERBATIM)
    list(APPEND generated "${list}.c")

    get_target_property(sources ${target} SOURCES)
    list(FILTER sources INCLUDE REGEX "\\.c$")
    list(TRANSFORM sources PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/" REGEX "^[^/]")
    add_custom_command(
        OUTPUT "${root}/used"
        COMMAND typedsql used "${root}/used" "${folder}:${cache}" ${sources}
        DEPENDS typedsql ${queries} ${sources}
        WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}"
        COMMENT "Typed SQL: whether ${target} uses all of its queries" VERBATIM)

    add_library(${target}_queries STATIC ${generated} "${root}/used")
    set_target_properties(${target}_queries PROPERTIES LINKER_LANGUAGE C)
    target_include_directories(${target}_queries PUBLIC "${root}")
    target_link_libraries(${target}_queries PUBLIC base postgres ${Q_USES}
                          PRIVATE pq stampede_flags)
    target_link_libraries(${target} PRIVATE ${target}_queries)
endfunction()
