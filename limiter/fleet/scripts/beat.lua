-- In partition 0. ARGV: id, worker, what it says of itself ('' if it leaves), milliseconds after which one is gone,
-- milliseconds after which one is silent
-- Replies how many workers there are, 1 if the job is finished, and the names of those that are silent, at most the last 100.
evenIfFull()
local beats, workers = tag .. 'beats', tag .. 'workers'
if ARGV[3] == '' then
  redis.call('ZREM', beats, ARGV[2])
  redis.call('HDEL', workers, ARGV[2])
else
  redis.call('ZADD', beats, int(now), ARGV[2])
  redis.call('HSET', workers, ARGV[2], ARGV[3])
end
local gone = now - tonumber(ARGV[4])
for _, worker in ipairs(redis.call('ZRANGEBYSCORE', beats, '-inf', int(now - 3600000), 'LIMIT', 0, 100)) do
  redis.call('ZREM', beats, worker)
  redis.call('HDEL', workers, worker)
end
local over = redis.call('HEXISTS', tag .. 'job', 'finished')
local left = redis.call('PTTL', tag .. 'job')
if left > 0 then
  redis.call('PEXPIRE', beats, left)
  redis.call('PEXPIRE', workers, left)
end
local silent = redis.call('ZRANGE', beats, int(now - tonumber(ARGV[5])), '-inf', 'BYSCORE', 'REV', 'LIMIT', 0, 100)
return {redis.call('ZCOUNT', beats, int(gone), '+inf'), over, silent}
