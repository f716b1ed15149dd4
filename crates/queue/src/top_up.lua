-- Fills a queue's list up to a number of tickets, in apalis' own layout, and clears away tickets that are done.
--
-- One script, so that any number of processes may ring at once and never more than `want` tickets wait.
-- apalis' own push is not used: it sends every task through the scheduled set, whose promotion fails for good once
-- about 8,000 tasks are due.
--
-- KEYS[1] list of ready ids    KEYS[2] hash id -> payload    KEYS[3] prefix of the metadata hashes
-- KEYS[4] set of done ids      KEYS[5] set of dead ids
-- ARGV[1] wanted tickets       ARGV[2] wake channel          ARGV[3] payload      ARGV[4..] fresh ids
-- Returns how many tickets were added.

for _, ended in ipairs({ KEYS[4], KEYS[5] }) do
    for _, id in ipairs(redis.call('SPOP', ended, 500)) do
        redis.call('HDEL', KEYS[2], id)
        redis.call('DEL', KEYS[3] .. ':' .. id)
    end
end

local missing = math.min(tonumber(ARGV[1]) - redis.call('LLEN', KEYS[1]), #ARGV - 3)
for i = 1, missing do
    local id = ARGV[3 + i]
    redis.call('HSET', KEYS[2], id, ARGV[3])
    redis.call('HSET', KEYS[3] .. ':' .. id,
        'attempts', 0, 'max_attempts', 1, 'status', 'Pending', 'idempotency_key', '')
    redis.call('RPUSH', KEYS[1], id)
end
if missing > 0 then
    redis.call('PUBLISH', ARGV[2], missing)
end
return math.max(missing, 0)
