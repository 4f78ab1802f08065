-- ARGV: id, then for each lease: key, token, how many items more are wanted, what the key's group has failed by ('' if it
-- has not), how many are done, their numbers
-- Replies for each lease: {1 and of each item more seq, attempts, payload}, or {0} if the lease is another's by now.
local reply, done = {}, 0
local state = redis.call('HGET', part, 'state') or ''
local i = 2
while i <= #ARGV do
  local key, token, want, n = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2]), tonumber(ARGV[i + 4])
  local failure = ARGV[i + 3]
  i = i + 5
  local one = {0}
  if redis.call('HGET', tag .. 'tok', key) == token then
    one[1] = 1
    if n > 0 then
      local removed = redis.call('HDEL', tag .. 'h:' .. key, unpack(ARGV, i, i + n - 1))
      done = done + removed
      local group = groupOf(key)
      if group then countDown(group, removed, failure) end
    end
    if state == '' then take(key, want, one) end
  end
  i = i + n
  reply[#reply + 1] = one
end
if done > 0 then redis.call('HINCRBY', part, 'done', done) end
return reply
