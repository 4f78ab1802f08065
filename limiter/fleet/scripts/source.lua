-- In partition 0. A source holds an item while it is read. ARGV: id, name, worker ('' if it is read to its end)
-- Replies 1, or 0 if the job is finished and takes nothing more.
evenIfFull()
local sources = tag .. 'sources'
if ARGV[3] == '' then
  if redis.call('HDEL', sources, ARGV[2]) == 1 then redis.call('HINCRBY', part, 'done', 1) end
  return 1
end
if redis.call('HEXISTS', tag .. 'job', 'finished') == 1 then return 0 end
if redis.call('HSET', sources, ARGV[2], ARGV[3]) == 1 then
  redis.call('HINCRBY', part, 'added', 1)
  redis.call('HINCRBY', part, 'sources', 1)
end
return 1
