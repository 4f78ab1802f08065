-- In partition 0. A source holds an item while it is read. ARGV: id, name, worker ('' if it is read to its end)
-- Replies 1; if the job is finished, and takes nothing more, 2 for a source that was read to its end before and else 0.
evenIfFull()
local sources, finished = tag .. 'sources', redis.call('HEXISTS', tag .. 'job', 'finished') == 1
if ARGV[3] == '' then
  if redis.call('HDEL', sources, ARGV[2]) == 1 then redis.call('HINCRBY', part, 'done', 1) end
  if not finished then redis.call('SADD', tag .. 'read', ARGV[2]) end
  return 1
end
if finished then return 2 * redis.call('SISMEMBER', tag .. 'read', ARGV[2]) end
if redis.call('HSET', sources, ARGV[2], ARGV[3]) == 1 then
  redis.call('HINCRBY', part, 'added', 1)
  redis.call('HINCRBY', part, 'sources', 1)
end
return 1
