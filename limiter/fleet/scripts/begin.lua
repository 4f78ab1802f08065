-- Makes a partition of a job, if it is not there. It has no common beginning. ARGV: id
-- Replies the id that the partition has, and its epoch.
redis.call('HSETNX', KEYS[1], 'id', ARGV[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
if not run then return redis.error_reply('ERR the server does not tell its run_id') end
redis.call('HSETNX', KEYS[1], 'run', run)
return {redis.call('HGET', KEYS[1], 'id'), redis.call('HGET', KEYS[1], 'epoch') or ''}
