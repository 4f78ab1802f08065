-- Makes the record of a job, if it is not there. It has no common beginning. KEYS[1] is the record of partition 0.
-- ARGV: then pairs of a field and its value, of which id is one
-- Replies all fields that the record has, or none if the job is being deleted.
local record = string.sub(KEYS[1], 1, -5) .. 'job'
if redis.call('EXISTS', record) == 0 then redis.call('HSET', record, unpack(ARGV)) end
if redis.call('HEXISTS', record, 'deleted') == 1 then return {} end
return redis.call('HGETALL', record)
