-- ARGV: id, worker, milliseconds of a lease, most keys, most items of each, most attempts (0: any number), least gap
-- Replies: state, milliseconds until the next key is due (-1: none), keys with items, added, done, epoch, then for each lease
-- {key, token, gap, note, and of each item seq, attempts, payload}.
local worker, ttl = ARGV[2], tonumber(ARGV[3])
local keys, items = tonumber(ARGV[4]), tonumber(ARGV[5])
local attempts, leastGap = tonumber(ARGV[6]), tonumber(ARGV[7])

local longest = number(part, 'ttl')
if ttl > longest then
  longest = ttl
  redis.call('HSET', part, 'ttl', int(ttl))
end
anew(longest)
local quiet = number(part, 'quiet')
local state = redis.call('HGET', part, 'state') or ''

local function answer(word, wait, leases)
  local active = redis.call('ZCARD', tag .. 'due') + redis.call('ZCARD', tag .. 'held')
  local epoch = redis.call('HGET', part, 'epoch') or ''
  local reply = {word, wait, active, number(part, 'added'), number(part, 'done'), epoch}
  for _, lease in ipairs(leases) do reply[#reply + 1] = lease end
  return reply
end

if quiet > now then return answer('quiet', quiet - now, {}) end

for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. 'held', '-inf', int(now), 'LIMIT', 0, 100)) do
  local ended = tonumber(redis.call('ZSCORE', tag .. 'held', key))
  local gap = math.max(leastGap, number(tag .. 'gap', key))
  giveBack(key, attempts)
  -- Its holder may have started something on it until the lease's last moment.
  free(key, math.max(ended + gap, number(tag .. 'next', key)))
end

if state ~= '' then return answer(state, -1, {}) end

local leases = {}
local token = number(part, 'tok')
local function lease(key)
  -- Above all tokens before, also of those that a crash made this server forget.
  token = math.max(token + 1, micros)
  local value = int(token) .. ' ' .. worker
  redis.call('ZREM', tag .. 'due', key)
  redis.call('ZADD', tag .. 'held', int(now + ttl), key)
  redis.call('HSET', tag .. 'tok', key, value)
  redis.call('HDEL', tag .. 'next', key)
  local one = {key, value, number(tag .. 'gap', key), redis.call('HGET', tag .. 'note', key) or ''}
  take(key, items, one)
  leases[#leases + 1] = one
end
local wishes = redis.call('EXISTS', tag .. 'wish') == 1
for _, key in ipairs(redis.call('ZRANGEBYSCORE', tag .. 'due', '-inf', int(now), 'LIMIT', 0, keys)) do
  if not wishes or number(tag .. 'wish', key) <= now then
    lease(key)
    if wishes then redis.call('HDEL', tag .. 'wish', key) end
  else
    redis.call('ZADD', tag .. 'due', int(number(tag .. 'wish', key)), key) -- out of the way of others
  end
end
if #leases > 0 then redis.call('HSET', part, 'tok', int(token)) end

local wait = -1
local first = redis.call('ZRANGE', tag .. 'due', 0, 0, 'WITHSCORES')
if first[2] then wait = math.max(0, tonumber(first[2]) - now) end
return answer('', wait, leases)
