-- In partition 0. Notes that something failed for good. ARGV: id, what it is called, why, how many are remembered
-- Replies {how many have failed}. What is told twice counts once, as long as it is remembered.
local failed = tag .. 'failed'
local new = redis.call('HLEN', failed) < tonumber(ARGV[4]) and redis.call('HSETNX', failed, ARGV[2], ARGV[3]) == 1
if new or redis.call('HEXISTS', failed, ARGV[2]) == 0 then redis.call('HINCRBY', tag .. 'job', 'failed', 1) end
return {number(tag .. 'job', 'failed')}
