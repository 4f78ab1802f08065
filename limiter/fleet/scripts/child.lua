-- A group waits for the end of another one, its child, which may be in another partition. That the child is expected, and
-- that it has ended, can be said in any order and more than once. ARGV: id, shards, group, what is said (expect or ended),
-- the child's members for both
local function shard(member) return tag .. 's:' .. int(tonumber(string.sub(member, -9)) % tonumber(ARGV[2])) end
local function seen(member) return redis.call('SISMEMBER', shard(member), member) == 1 end
local expected, ended = ARGV[5], ARGV[6]
if ARGV[4] == 'expect' then
  if noGroup(ARGV[3]) then return {0} end
  if redis.call('SADD', shard(expected), expected) == 1 and not seen(ended) then countUp(ARGV[3], 1) end
elseif redis.call('SADD', shard(ended), ended) == 1 and seen(expected) then
  countDown(ARGV[3], 1, '')
end
return {1}
