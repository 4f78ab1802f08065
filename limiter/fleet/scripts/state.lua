-- ARGV: id, state ('' for none). A finished job has none: it is to go as a whole, and nobody waits for it.
-- Replies 1.
evenIfFull()
if redis.call('HEXISTS', part, 'over') == 0 then redis.call('HSET', part, 'state', ARGV[2]) end
return 1
