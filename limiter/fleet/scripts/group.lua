-- Opens a group, with items of its own, unless its member was seen. ARGV: id, shards, member, group, the key and payload of
-- its end, how its keys begin, how many items it has, how many of them a key has, how their payloads begin
-- Item i, from 0 on, has the key BEGINNING..(i / PER KEY) and the payload BEGINNING..i. Replies {1}, or {0} if it was seen.
local shard = tag .. 's:' .. int(tonumber(string.sub(ARGV[3], -9)) % tonumber(ARGV[2]))
if redis.call('SADD', shard, ARGV[3]) == 0 then return {0} end
local group, prefix, n, each, text = ARGV[4], ARGV[7], tonumber(ARGV[8]), tonumber(ARGV[9]), ARGV[10]
redis.call('SADD', tag .. 'groups', group)
redis.call('HSET', tag .. 'g:' .. group, 'left', int(n + 1), 'key', ARGV[5], 'payload', ARGV[6])
local seq = number(part, 'seq')
for i = 0, n - 1 do
  append(prefix .. int(math.floor(i / each)), seq + i + 1, text .. int(i))
end
redis.call('HSET', part, 'seq', int(seq + n))
redis.call('HINCRBY', part, 'added', int(n))
countDown(group, 1, '')
return {1}
