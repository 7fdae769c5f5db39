-- A coroutine, closures, strings and tables that grow from step to step.
local dir = os.getenv("STEP_DIR")
local function exists(name) local f = io.open(dir .. "/" .. name) if f then f:close() end return f ~= nil end
local function step(n)
    local f = io.open(dir .. "/ready.new", "w")
    f:write(n)
    f:close()
    os.rename(dir .. "/ready.new", dir .. "/ready")
    while not exists("go." .. n) do
        if exists("end") then return false end
    end
    return true
end
local producer = coroutine.wrap(function()
    local a, b = 0, 1
    while true do
        coroutine.yield(a)
        a, b = b, a + b
    end
end)
local words, n = {}, 1
while step(n) do
    for i = 1, 20000 do words[#words + 1] = ("%d of %d"):format(i, n) end
    collectgarbage()
    table.sort(words)
    print(n, producer(), #words, words[#words // 2], math.sin(n))
    n = n + 1
end
