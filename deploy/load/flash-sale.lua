-- One phase of a flash sale, for wrk; flash-sale.sh runs the phases and judges.
--   wrk ... -s flash-sale.lua <url> -- <sale id> <run>
-- Every request is a placement. One in ten that were placed is sent again with its key, as a shop does
-- that lost the answer: it must be the same order. The key travels as the request id and comes back
-- with the answer, for wrk does not say which answer belongs to which request.
-- Prints: flash: placed=... refused=... limited=... unavailable=... unknown=... other=... replayed=...
--         wrong=... p50_ms=... p99_ms=...
local threads = {}

function setup(thread)
    thread:set("number", #threads)
    threads[#threads + 1] = thread
end

function init(arguments)
    prefix = arguments[2] .. "-" .. number .. "-"
    path = "/v1/sales/" .. arguments[1] .. "/orders"
    serial = 0
    placed, refused, limited, unavailable, unknown, other, replayed, wrong = 0, 0, 0, 0, 0, 0, 0, 0
    orders = {} -- by key: the order that must be answered again
    again, again_first, again_last = {}, 1, 0
end

local function placement(key)
    return wrk.format("POST", path, {
        ["Host"] = wrk.headers["Host"],
        ["Content-Type"] = "application/json",
        ["Idempotency-Key"] = key,
        ["X-Request-Id"] = key
    }, '{"customerId":"' .. key .. '","quantity":1}')
end

function request()
    if again_first <= again_last then
        local key = again[again_first]
        again[again_first] = nil
        again_first = again_first + 1
        return placement(key)
    end
    serial = serial + 1
    return placement(prefix .. serial)
end

local function note_placed(key, order)
    local known = orders[key]
    placed = placed + 1
    if known then
        orders[key] = nil
        replayed = replayed + 1
        if known ~= order then wrong = wrong + 1 end
    elseif placed % 10 == 0 then
        orders[key] = order
        again_last = again_last + 1
        again[again_last] = key
    end
end

function response(status, headers, body)
    local key = headers["X-Request-Id"] or headers["x-request-id"]
    if status == 201 then
        note_placed(key, body:match('"orderId":"([^"]+)"'))
        return
    end
    -- What was placed once is never refused later.
    if orders[key] and status == 409 then wrong = wrong + 1 end
    if status == 409 then
        refused = refused + 1
    elseif status == 429 then
        limited = limited + 1
    elseif status == 503 then
        unavailable = unavailable + 1
    elseif status == 504 then
        unknown = unknown + 1
    else
        other = other + 1
    end
end

function done(summary, latency)
    local names = { "placed", "refused", "limited", "unavailable", "unknown", "other", "replayed", "wrong" }
    local line = "flash:"
    for _, name in ipairs(names) do
        local sum = 0
        for _, thread in ipairs(threads) do sum = sum + thread:get(name) end
        line = line .. string.format(" %s=%d", name, sum)
    end
    local broken = summary.errors.connect + summary.errors.read + summary.errors.write + summary.errors.timeout
    print(string.format("%s broken=%d p50_ms=%.1f p99_ms=%.1f", line, broken,
        latency:percentile(50) / 1000, latency:percentile(99) / 1000))
end
