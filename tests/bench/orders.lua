-- Placements with a key and a customer of their own, for wrk:
--   wrk ... -s orders.lua <url> -- <sale id> <run>
-- A request is put together from pieces made once, so that the client takes as little as it can of the
-- machine that it shares with what it measures.
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    local prefix = arguments[2] .. "-" .. number .. "-"
    serial = 10000000 -- always of eight digits: so is every length
    local before, after = '{"customerId":"' .. prefix, '","quantity":1}'
    head = "POST /v1/sales/" .. arguments[1] .. "/orders HTTP/1.1\r\nHost: " .. wrk.headers["Host"] ..
        "\r\nContent-Type: application/json\r\nContent-Length: " .. #before + 8 + #after ..
        "\r\nIdempotency-Key: " .. prefix
    middle = "\r\n\r\n" .. before
    tail = after
end

function request()
    serial = serial + 1
    return head .. serial .. middle .. serial .. tail
end
