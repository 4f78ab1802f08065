-- Lets what a finished job has in a partition go after a time, a thousand shards of the seen-set a call. Whoever calls goes
-- on where another stopped. ARGV: id, shards, milliseconds
-- Replies 1 when all is done, 0 when there is more, and 2 if the server has lost that the job is finished.
local shards, keep = tonumber(ARGV[2]), tonumber(ARGV[3])
local function expire(name) redis.call('PEXPIRE', tag .. name, keep) end

local job = tag .. 'job' -- only partition 0 has it
if redis.call('EXISTS', job) == 1 and redis.call('HEXISTS', job, 'finished') == 0 then return 2 end
evenIfFull()
redis.call('HSET', part, 'over', 1)
local first = number(part, 'tidied')
local after = math.min(first + 1000, shards)
for n = first, after - 1 do expire('s:' .. int(n)) end
redis.call('HSET', part, 'tidied', int(after))
if after < shards then return 0 end
-- A worker that was late may have added something between the end and now.
for _, index in ipairs({'due', 'held'}) do
  for _, key in ipairs(redis.call('ZRANGE', tag .. index, 0, 999)) do
    expire('q:' .. key)
    expire('h:' .. key)
  end
end
for _, name in ipairs({'due', 'held', 'tok', 'next', 'gap', 'note', 'wish', 'adm', 'dead', 'part'}) do expire(name) end
-- What partition 0 has once for the job; its record is the last, and shows that all is done.
for _, name in ipairs({'beats', 'workers', 'sources', 'read', 'shared', 'failed', 'rates', 'askers', 'job'}) do expire(name) end
return 1
