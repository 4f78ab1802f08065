-- In partition 0. Closes a job of which everything was seen to be done, unless a source has come since. ARGV: id
-- Replies 1 if it is finished now, 2 if it was before, 0 if there is more to do.
if redis.call('HEXISTS', tag .. 'job', 'finished') == 1 then return 2 end
if number(part, 'added') ~= number(part, 'done') then return 0 end
redis.call('HSET', tag .. 'job', 'finished', int(now))
return 1
