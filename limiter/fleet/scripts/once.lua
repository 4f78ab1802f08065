-- In partition 0. What all workers are to know, unless they know something else by that name. ARGV: id, name, value
-- Replies {what they know now}.
if redis.call('HSETNX', tag .. 'shared', ARGV[2], ARGV[3]) == 1 then redis.call('HINCRBY', tag .. 'job', 'version', 1) end
return {redis.call('HGET', tag .. 'shared', ARGV[2])}
