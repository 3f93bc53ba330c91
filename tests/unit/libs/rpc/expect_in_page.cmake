# Succeeds only if PAGE quotes FILE whole, so that what people copy from it is what was compiled.
file(READ "${PAGE}" page)
file(READ "${FILE}" code)
string(FIND "${page}" "${code}" position)
if(position EQUAL -1)
    message(FATAL_ERROR "${PAGE} does not quote ${FILE} as it is")
endif()
