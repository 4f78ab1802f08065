-- Makes a partition of a job, if it is not there. It has no common beginning. ARGV: id, number of the partition
-- Replies the id that the partition has, and its epoch; or -1 if the job was deleted since its record was read.
if ARGV[2] == '0' then
  local record = redis.call('HMGET', string.sub(KEYS[1], 1, -5) .. 'job', 'id', 'deleted')
  if record[1] ~= ARGV[1] or record[2] then return -1 end
end
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not run then return redis.error_reply('ERR the server does not tell its run_id') end
redis.call('HSETNX', KEYS[1], 'run', run)
return {redis.call('HGET', KEYS[1], 'id'), redis.call('HGET', KEYS[1], 'epoch') or ''}
