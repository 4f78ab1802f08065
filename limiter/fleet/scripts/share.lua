-- In partition 0. What all workers are to know. ARGV: id, then pairs of a name and its value
-- Replies the version of what is known, which rises with each change.
local changed = 0
for i = 2, #ARGV, 2 do
  if redis.call('HGET', tag .. 'shared', ARGV[i]) ~= ARGV[i + 1] then
    redis.call('HSET', tag .. 'shared', ARGV[i], ARGV[i + 1])
    changed = 1
  end
end
return redis.call('HINCRBY', tag .. 'job', 'version', changed)
