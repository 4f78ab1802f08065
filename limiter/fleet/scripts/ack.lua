-- ARGV: id, then for each lease: key, token, how many items more are wanted, what the key's group has failed by ('' if it
-- has not), '=' and the epoch that they were begun in (or anything else: 'any' counts in each, and 'old' in none), how many
-- bytes they have moved, how many are done, their numbers
-- Replies the epoch, and then for each lease: {1 + how many of them do not count, and of each item more seq, attempts,
-- payload}, or {0} if the lease is another's by now.
anew(number(part, 'ttl'))
local epoch = redis.call('HGET', part, 'epoch') or ''
local reply, done, bytes = {epoch}, 0, 0
-- What is handed out anew is only what nobody can be at any more.
local hands = (redis.call('HGET', part, 'state') or '') == '' and number(part, 'quiet') <= now

-- again lets an item that is handed out be the next of its key.
local function again(key, seq)
  local item = redis.call('HGET', tag .. 'h:' .. key, seq)
  if not item then return end
  redis.call('HDEL', tag .. 'h:' .. key, seq)
  redis.call('LPUSH', tag .. 'q:' .. key, seq .. ' ' .. item)
end

local i = 2
while i <= #ARGV do
  local key, token, want, n = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 6])
  local failure, of = ARGV[i + 3], ARGV[i + 4]
  i = i + 7
  local one = {0}
  if redis.call('HGET', tag .. 'tok', key) == token then
    one[1] = 1
    if n > 0 and of ~= 'any' and of ~= '=' .. epoch then
      one[1] = 1 + n
      for at = i + n - 1, i, -1 do again(key, ARGV[at]) end
    elseif n > 0 then
      local removed = 0
      for first = i, i + n - 1, 1000 do -- a call takes no more than Lua's stack holds
        removed = removed + redis.call('HDEL', tag .. 'h:' .. key, unpack(ARGV, first, math.min(first + 999, i + n - 1)))
      end
      done = done + removed
      if removed > 0 then bytes = bytes + tonumber(ARGV[i - 2]) end -- not once more after a lost reply
      local group = groupOf(key)
      if group then countDown(group, removed, failure) end
    end
    if hands then take(key, want, one) end
  end
  i = i + n
  reply[#reply + 1] = one
end
if done > 0 then redis.call('HINCRBY', part, 'done', done) end
if bytes > 0 then redis.call('HINCRBY', part, 'bytes', int(bytes)) end
return reply
