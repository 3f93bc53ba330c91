# Runs PROGRAM, which has a fault planted in it, and succeeds only if the sanitizer ended it with
# STATUS, reported REPORT, and named PLACE.
execute_process(COMMAND "${PROGRAM}" RESULT_VARIABLE status OUTPUT_VARIABLE output
                ERROR_VARIABLE errors TIMEOUT 60)
set(said "${output}${errors}")
foreach(expected IN ITEMS "${REPORT}" "${PLACE}")
    string(FIND "${said}" "${expected}" position)
    if(position EQUAL -1)
        message(FATAL_ERROR "\"${expected}\" was not reported. Status ${status}, output:\n${said}")
    endif()
endforeach()
if(NOT status STREQUAL STATUS)
    message(FATAL_ERROR "The status was ${status}, not ${STATUS}. Output:\n${said}")
endif()
message(STATUS "the planted fault was found: ${REPORT}, in ${PLACE}")
