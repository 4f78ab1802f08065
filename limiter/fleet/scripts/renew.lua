-- ARGV: id, milliseconds of a lease, then for each: key, token
-- Replies for each lease: 1; 2 if another worker waits for the key; 0 if the lease is another's by now.
evenIfFull()
local reply = {}
for i = 3, #ARGV, 2 do
  local mine = redis.call('HGET', tag .. 'tok', ARGV[i]) == ARGV[i + 1]
  if mine then redis.call('ZADD', tag .. 'held', int(now + tonumber(ARGV[2])), ARGV[i]) end
  local wished = mine and number(tag .. 'wish', ARGV[i]) > now
  reply[#reply + 1] = wished and 2 or mine and 1 or 0
end
return reply
