-- A crowd for wrk: so many keys, each sent so many times by different connections, every answer
-- written down. Consecutive requests of a thread go out on different connections, and both threads
-- walk through the same keys, so that copies of one key meet everywhere on their way.
--
--   wrk -t2 -c200 -d60s -s crowd.lua http://host:port -- <sale id> <folder> <keys> <copies> <mode>
--
-- <mode> is "same": the copies of a key are retries of one order; or "own": each has a key of its own
-- and only the customer in common. <folder>/answers.<thread> gets a line per answer: status, request
-- id (key.copy), order id or reason, microseconds since 1970.
-- A request that is answered 503 or 504 is sent again with the same key until it has its answer, as
-- a shop would do; each answer is written down.
-- A thread that has all its answers makes <folder>/done.<thread>, since wrk itself always runs for
-- its whole duration, which is the bound for lost ones.
local ffi = require("ffi")
ffi.cdef [[
    struct crowd_timespec { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct crowd_timespec *now);
]]
local now = ffi.new("struct crowd_timespec")
local function wall_us()
    ffi.C.clock_gettime(0, now)
    return tonumber(now.seconds) * 1000000 + math.floor(tonumber(now.nanoseconds) / 1000)
end

local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    sale, folder = arguments[1], arguments[2]
    keys, copies, mode = tonumber(arguments[3]), tonumber(arguments[4]), arguments[5]
    -- Copies are shared out between two threads: the first sends the larger half of each key's.
    -- With one copy each thread sends its own half of the keys.
    if copies == 1 then
        mine, first, step = 1, number, 2
    else
        mine, first, step = (number == 0) and math.ceil(copies / 2) or math.floor(copies / 2), 0, 1
    end
    total = math.ceil((keys - first) / step) * mine
    sent, answered = 0, 0
    again, again_first, again_last = {}, 1, 0
    -- wrk asks its first thread once for a request that it only looks at.
    asked_before = number ~= 0
    file = io.open(folder .. "/answers." .. number, "w")
    path = "/v1/sales/" .. sale .. "/orders"
end

local function place(key, copy)
    return wrk.format("POST", path, {
        ["Content-Type"] = "application/json",
        ["Idempotency-Key"] = "key-" .. key .. (mode == "own" and "-" .. copy or ""),
        ["X-Request-Id"] = key .. "." .. copy,
    }, '{"customerId":"customer-' .. key .. '","quantity":1}')
end

function request()
    if asked_before and again[again_first] then
        local retry = again[again_first]
        again[again_first] = nil
        again_first = again_first + 1
        return place(retry.key, retry.copy)
    end
    if sent >= total or not asked_before then
        -- A connection without work asks something harmless until the last answer is in.
        asked_before = true
        return wrk.format("GET", "/v1/sales/" .. sale, { ["X-Request-Id"] = "idle" })
    end
    local key = first + math.floor(sent / mine) * step
    local copy = sent % mine
    sent = sent + 1
    return place(key, number .. copy)
end

local function header(headers, name)
    for key, value in pairs(headers) do
        if key:lower() == name then return value end
    end
    return "none"
end

function response(status, headers, body)
    local id = header(headers, "x-request-id")
    if id == "idle" then return end
    local detail = body:match('"orderId":"([^"]*)"') or body:match('"reason":"([^"]*)"') or "-"
    file:write(status, " ", id, " ", detail, " ", string.format("%.0f", wall_us()), "\n")
    file:flush() -- so that whoever reads meanwhile reads whole lines, and all of them
    if status == 503 or status == 504 then
        local key, copy = id:match("^(%d+)%.(%d+)$")
        again_last = again_last + 1
        again[again_last] = { key = key, copy = copy }
        return
    end
    answered = answered + 1
    if answered >= total then
        io.open(folder .. "/done." .. number, "w"):close()
        wrk.thread:stop()
    end
end
