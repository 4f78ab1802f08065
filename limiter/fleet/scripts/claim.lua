-- Leases one key, with no items, if nobody holds it and it is due; else it is wished for. ARGV: id, worker, milliseconds of
-- a lease, key, least gap
-- Replies {token, gap, note}, or {} if it cannot be had now.
local ttl, key = tonumber(ARGV[3]), ARGV[4]
if redis.call('HEXISTS', part, 'over') == 1 then return {} end
local token = math.max(number(part, 'tok') + 1, micros)
if number(part, 'quiet') > now or (redis.call('HGET', part, 'state') or '') ~= '' then return {} end
if string.match(redis.call('INFO', 'server'), 'run_id:(%x+)') ~= redis.call('HGET', part, 'run') then return {} end
local ended = tonumber(redis.call('ZSCORE', tag .. 'held', key) or math.huge)
if ended <= now then -- maybe nobody asks for just any key who would find that
  giveBack(key, 0)
  local gap = math.max(tonumber(ARGV[5]), number(tag .. 'gap', key)) -- as for lease
  free(key, math.max(ended + gap, number(tag .. 'next', key)))
end
if redis.call('HEXISTS', tag .. 'tok', key) == 1 or number(tag .. 'next', key) > now then
  -- Its holder is told with the next renewal, and until then nobody else takes it.
  redis.call('HSET', tag .. 'wish', key, int(now + 2 * ttl))
  return {}
end
redis.call('HDEL', tag .. 'wish', key)
if ttl > number(part, 'ttl') then redis.call('HSET', part, 'ttl', int(ttl)) end
local value = int(token) .. ' ' .. ARGV[2]
redis.call('HSET', part, 'tok', int(token))
redis.call('HSET', tag .. 'tok', key, value)
redis.call('ZADD', tag .. 'held', int(now + ttl), key)
redis.call('ZREM', tag .. 'due', key)
redis.call('HDEL', tag .. 'next', key)
return {value, number(tag .. 'gap', key), redis.call('HGET', tag .. 'note', key) or ''}
