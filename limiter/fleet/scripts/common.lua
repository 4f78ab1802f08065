-- Begins every script. KEYS[1] is the record of a partition, {PREFIX:JOB:N}:part; all other keys have the same tag, so
-- that Cluster keeps them in one slot. ARGV[1] is the id that the job was created with; and after a space, of what must not
-- outlive an epoch, '=' and that epoch (or anything else, if it is over): else it is refused with the epoch of now, a string.
--
--   part   hash  id, added, done, bytes, dead, seq, tok, run, epoch, quiet, ttl, state, over, sources, counted, tidied
--   s:N    set   shard N of the seen-set: 64-bit integers, so that Redis keeps it as an intset
--   g:GROUP  hash  a group that is not through: left, key, payload, failure (see groups.go)
--   groups set   their names
--   q:KEY  list  items that wait, "SEQ ATTEMPTS PAYLOAD"
--   h:KEY  hash  items that are handed out, SEQ -> "ATTEMPTS PAYLOAD"
--   due    zset  keys with items and no lease, by the time from which they may be leased
--   held   zset  keys with a lease, by its end
--   tok    hash  KEY -> "TOKEN WORKER" of the lease
--   next   hash  KEY -> the time before which nothing may start on it
--   gap    hash  KEY -> how far apart its starts are
--   note   hash  KEY -> what its last holder left for the next
--   wish   hash  KEY -> until when it is kept for one who could not claim it
--   adm    hash  KEY -> how many items it was given in all
--   dead   list  "LENGTH ATTEMPTS KEYPAYLOAD" of items that were tried too often, with the length of the key
--
-- All times are this server's, in milliseconds since 1970.
local part = KEYS[1]
local tag = string.sub(part, 1, -5)
local id, told = string.match(ARGV[1], '^(%S*) ?(.*)$')
if redis.call('HGET', part, 'id') ~= id then return -1 end
local clock = redis.call('TIME')
local micros = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local now = math.floor(micros / 1000)

-- tostring would round what has more than 14 digits.
local function int(n) return string.format('%.0f', n) end

local function number(key, field) return tonumber(redis.call('HGET', key, field) or 0) end

-- dueAt returns the score of a key that may be leased from a time on. Of keys RANK/... that are due, those of a higher rank
-- come first: ten trillion milliseconds are more than all times that are told.
local function dueAt(key, at)
  if at <= now then at = at - 10000000000000 * tonumber(string.match(key, '^(%d)/') or 0) end
  return int(at)
end

-- append queues an item that has its number.
local function append(key, seq, payload)
  local n = redis.call('RPUSH', tag .. 'q:' .. key, int(seq) .. ' 0 ' .. payload)
  if n > 1 or redis.call('HEXISTS', tag .. 'tok', key) == 1 then return end
  redis.call('ZADD', tag .. 'due', dueAt(key, math.max(now, number(tag .. 'next', key))), key)
end

-- groupOf returns the group that a key RANK/GROUP/REST is of.
local function groupOf(key) return string.match(key, '^%d/([^/]+)/') end

-- noGroup says whether a group is not there. It is through then, or the server has lost it: what a late worker adds to it
-- is not even noted, because nobody would wait for it, nor be able to add it again when the group is back.
local function noGroup(group) return redis.call('EXISTS', tag .. 'g:' .. group) == 0 end

-- countUp lets a group wait for n items more.
local function countUp(group, n) redis.call('HINCRBY', tag .. 'g:' .. group, 'left', n) end

-- countDown notes that n items of a group are done, and queues its end after the last. A group that is through has none.
local function countDown(group, n, failure)
  local g = tag .. 'g:' .. group
  if n == 0 or noGroup(group) then return end
  if failure ~= '' then redis.call('HSETNX', g, 'failure', (string.gsub(failure, '\n', ' '))) end
  if redis.call('HINCRBY', g, 'left', -n) > 0 then return end
  local key = redis.call('HGET', g, 'key')
  local payload = (redis.call('HGET', g, 'failure') or '') .. '\n' .. redis.call('HGET', g, 'payload')
  redis.call('DEL', g)
  redis.call('SREM', tag .. 'groups', group)
  redis.call('HINCRBY', part, 'added', 1)
  append(key, redis.call('HINCRBY', part, 'seq', 1), payload)
end

-- anew notes that this server is another process than before. It may have lost its last writes: leases that their holders
-- rely on, of which the longest is over after one lease's time; and what was added for an item that its holder has in hand,
-- so that to count this as done would lose that. So there is a new epoch, and no item's number is one that was lost.
local function anew(longest)
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  local was = redis.call('HGET', part, 'run')
  if was == run then return end
  redis.call('HDEL', part, 'epoch') -- takes no memory: a server that is full lets the rest of the script through
  redis.call('HSET', part, 'run', run)
  if was then
    redis.call('HSET', part, 'quiet', int(now + longest), 'epoch', int(micros))
    redis.call('HINCRBY', part, 'seq', 1000000000)
  end
end

-- take hands out up to n items of a key, and appends their parts to out.
local function take(key, n, out)
  if n <= 0 then return end
  local items = redis.call('LPOP', tag .. 'q:' .. key, n)
  if not items then return end
  for _, item in ipairs(items) do
    local seq, attempts, payload = string.match(item, '^(%d+) (%d+) (.*)$')
    redis.call('HSET', tag .. 'h:' .. key, seq, attempts .. ' ' .. payload)
    out[#out + 1] = seq
    out[#out + 1] = attempts
    out[#out + 1] = payload
  end
end

-- giveBack puts what is handed out of a key at the head of its queue, in the old order. With most set, each counts as
-- tried once more, and one that was tried so often is dead.
local function giveBack(key, most)
  local handed = tag .. 'h:' .. key
  local fields = redis.call('HGETALL', handed)
  local items = {}
  for i = 1, #fields, 2 do
    local attempts, payload = string.match(fields[i + 1], '^(%d+) (.*)$')
    attempts = tonumber(attempts)
    if most then attempts = attempts + 1 end
    local group = groupOf(key)
    -- An end is tried for ever: others may wait for it.
    if most and most > 0 and attempts >= most and not (group and string.find(key, '/end$')) then
      redis.call('RPUSH', tag .. 'dead', #key .. ' ' .. int(attempts) .. ' ' .. key .. payload)
      redis.call('HINCRBY', part, 'done', 1)
      redis.call('HINCRBY', part, 'dead', 1)
      if group then countDown(group, 1, 'every worker that tried it has ended, ' .. int(attempts) .. ' times') end
    else
      items[#items + 1] = {tonumber(fields[i]), int(attempts), payload}
    end
  end
  redis.call('DEL', handed)
  table.sort(items, function(a, b) return a[1] > b[1] end)
  for _, item in ipairs(items) do
    redis.call('LPUSH', tag .. 'q:' .. key, int(item[1]) .. ' ' .. item[2] .. ' ' .. item[3])
  end
end

-- free ends the lease of a key, which may be leased again from a time on.
local function free(key, at)
  redis.call('HDEL', tag .. 'tok', key)
  redis.call('ZREM', tag .. 'held', key)
  -- A finished job is to go as a whole: nothing new is kept of it.
  if at > now and redis.call('HEXISTS', part, 'over') == 0 then
    redis.call('HSET', tag .. 'next', key, int(at))
  else
    redis.call('HDEL', tag .. 'next', key)
  end
  if redis.call('EXISTS', tag .. 'q:' .. key) == 1 then redis.call('ZADD', tag .. 'due', dueAt(key, at), key) end
end

-- evenIfFull lets a script that makes room, or takes none, write to a server whose memory is full: Redis refuses only a
-- script that has changed nothing yet, and a DEL is let through.
local function evenIfFull() redis.call('DEL', tag .. 'none') end

if told ~= '' then
  anew(number(part, 'ttl'))
  local epoch = redis.call('HGET', part, 'epoch') or ''
  if told ~= '=' .. epoch then return epoch end
end
