-- ARGV: id, shards, most items that wait of one key, of all, most counted items ever (0: any number), then six for each
-- entry:
--   kind    a: queue it if it is new; c: the same, and count it; w: the same, however many wait; f: queue it in any case;
--           n: only note that it was seen; ?: only ask
--   key, member of the seen-set ('' for none), another member that must not have been seen ('' for none),
--   most items that the key is ever given (0: any number), payload
-- Replies for each entry: 1 done, or new; 0 it was seen, or its group is not there; 2 the key had its items; 3 too much
-- waits; 4 all had theirs. A finished job has seen everything.
local shards, mostOfKey, mostOfAll, mostCounted = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])
local function shard(member) return tag .. 's:' .. int(tonumber(string.sub(member, -9)) % shards) end
local function seen(member) return redis.call('SISMEMBER', shard(member), member) == 1 end

local seq = number(part, 'seq')
local waiting = 0
if mostOfAll > 0 then waiting = number(part, 'added') - number(part, 'done') end
local added, counted = 0, number(part, 'counted')
local over = redis.call('HEXISTS', part, 'over') == 1

local function full(kind, key, limit)
  if kind ~= 'a' and mostCounted > 0 and counted >= mostCounted then return 4 end
  if limit > 0 and number(tag .. 'adm', key) >= limit then return 2 end
  if kind == 'w' then return end
  if mostOfAll > 0 and waiting + added >= mostOfAll then return 3 end
  if mostOfKey > 0 and redis.call('LLEN', tag .. 'q:' .. key) >= mostOfKey then return 3 end
end

local function push(key, limit, payload)
  seq = seq + 1
  added = added + 1
  append(key, seq, payload)
  if limit > 0 then redis.call('HINCRBY', tag .. 'adm', key, 1) end
  local group = groupOf(key)
  if group then countUp(group, 1) end
end

local function add(kind, key, member, unless, limit, payload)
  if over then return 0 end
  if kind == '?' then return seen(member) and 0 or 1 end
  local group = groupOf(key)
  if kind ~= 'n' and group and noGroup(group) then return 0 end
  if unless ~= '' and seen(unless) then return 0 end
  local why = (kind == 'a' or kind == 'c' or kind == 'w') and full(kind, key, limit)
  if why then return member ~= '' and seen(member) and 0 or why end
  if member ~= '' and redis.call('SADD', shard(member), member) == 0 and kind ~= 'f' then return 0 end
  if kind ~= 'n' then push(key, limit, payload) end
  if kind == 'c' or kind == 'w' then counted = counted + 1 end
  return 1
end

local reply = {}
for i = 6, #ARGV, 6 do
  reply[#reply + 1] = add(ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3], tonumber(ARGV[i + 4]), ARGV[i + 5])
end
if added > 0 then
  redis.call('HSET', part, 'seq', int(seq))
  redis.call('HINCRBY', part, 'added', added)
  redis.call('HSET', part, 'counted', int(counted))
end
return reply
