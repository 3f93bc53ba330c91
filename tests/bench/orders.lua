-- Placements with a key and a customer of their own, for wrk:
--   wrk ... -s orders.lua <url> -- <sale id> <run>
local threads = 0

function setup(thread)
    thread:set("number", threads)
    threads = threads + 1
end

function init(arguments)
    path = "/v1/sales/" .. arguments[1] .. "/orders"
    prefix = arguments[2] .. "-" .. number .. "-"
    serial = 0
    headers = { ["Content-Type"] = "application/json" }
end

function request()
    serial = serial + 1
    local name = prefix .. serial
    headers["Idempotency-Key"] = name
    return wrk.format("POST", path, headers, '{"customerId":"' .. name .. '","quantity":1}')
end
