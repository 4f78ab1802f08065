-- Ends the leases of a worker whose process is gone, as those are ended whose time is over: it can start nothing any more.
-- ARGV: id, worker, most attempts (0: any number), least gap
-- Replies {leases that it had}, or {} in the quiet time, when nobody may rely on what is known of leases.
anew(number(part, 'ttl'))
if number(part, 'quiet') > now then return {} end
local attempts, leastGap = tonumber(ARGV[3]), tonumber(ARGV[4])
local ending = ' ' .. ARGV[2]
local leases = 0
for _, key in ipairs(redis.call('ZRANGE', tag .. 'held', 0, -1)) do
  local holder = redis.call('HGET', tag .. 'tok', key) or ''
  if string.sub(holder, -#ending) == ending then
    giveBack(key, attempts)
    free(key, math.max(now + math.max(leastGap, number(tag .. 'gap', key)), number(tag .. 'next', key)))
    leases = leases + 1
  end
end
return {leases}
