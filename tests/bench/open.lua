-- Placements at a fixed rate, whatever the answers take (open loop), for wrk:
--   wrk ... -s open.lua <url> -- <sale id> <run> <rate per second and thread>
-- Every request has its moment in a schedule; latency counts from that moment, so that a request that
-- had to wait for a free connection is not flattered. The moment travels as the request id and comes
-- back with the answer. Prints: open: answers=... p50_ms=... p99_ms=...
local ffi = require("ffi")
ffi.cdef [[
    struct open_timespec { long seconds; long nanoseconds; };
    int clock_gettime(int clock, struct open_timespec *now);
]]
local now = ffi.new("struct open_timespec")
local function now_us()
    ffi.C.clock_gettime(1, now)
    return tonumber(now.seconds) * 1000000 + math.floor(tonumber(now.nanoseconds) / 1000)
end

local threads = {}

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(arguments)
    local prefix = arguments[2] .. "-" .. number .. "-"
    local before, after = '{"customerId":"' .. prefix, '","quantity":1}'
    head = "POST /v1/sales/" .. arguments[1] .. "/orders HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
        "\r\nContent-Type: application/json\r\nContent-Length: " .. #before + 8 + #after ..
        "\r\nIdempotency-Key: " .. prefix
    middle = "\r\n\r\n" .. before
    tail = after
    interval_us = 1000000 / tonumber(arguments[3])
    next_us, serial = nil, 10000000 -- always of eight digits: so is every length
    moments, moment_first, moment_last = {}, 1, 0
    histogram, answers = {}, 0 -- by tenths of a millisecond
end

function delay()
    local current = now_us()
    next_us = next_us or current
    local moment = next_us
    next_us = next_us + interval_us
    moment_last = moment_last + 1
    moments[moment_last] = moment
    return math.max(0, math.floor((moment - current) / 1000))
end

function request()
    serial = serial + 1
    local moment = moments[moment_first] or now_us()
    moments[moment_first] = nil
    moment_first = moment_first + 1
    return head .. serial .. string.format("\r\nX-Request-Id: %d", moment) .. middle .. serial .. tail
end

function response(status, response_headers)
    local moment = tonumber(response_headers["X-Request-Id"] or response_headers["x-request-id"])
    local tenth = math.max(0, math.floor((now_us() - moment) / 100))
    histogram[tenth] = (histogram[tenth] or 0) + 1
    answers = answers + 1
end

local function percentile(all, total, share)
    local tenths = {}
    for tenth in pairs(all) do tenths[#tenths + 1] = tenth end
    table.sort(tenths)
    local seen = 0
    for _, tenth in ipairs(tenths) do
        seen = seen + all[tenth]
        if seen >= total * share then return tenth / 10 end
    end
    return 0
end

function done()
    local all, total = {}, 0
    for _, thread in ipairs(threads) do
        for tenth, count in pairs(thread:get("histogram")) do
            all[tenth] = (all[tenth] or 0) + count
        end
        total = total + thread:get("answers")
    end
    print(string.format("open: answers=%d p50_ms=%.1f p99_ms=%.1f", total,
                        percentile(all, total, 0.5), percentile(all, total, 0.99)))
end
