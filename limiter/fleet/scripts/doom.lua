-- In partition 0. Notes that the job is being deleted, so that nobody joins what is half there. ARGV: id
-- It has no common beginning: of what was begun to be deleted the partition's record is gone. KEYS[1] is that record.
local record = string.sub(KEYS[1], 1, -5) .. 'job'
redis.call('DEL', record .. '.none') -- takes no memory: a server that is full lets the rest through
if redis.call('HGET', record, 'id') == ARGV[1] then redis.call('HSET', record, 'deleted', 1) end
return 1
