-- In partition 0. Closes a job of which everything was seen to be done, unless a source has come since. ARGV: id
-- Replies 0 if there is more to do, 1 if it is finished, 2 if it is and all that it left goes after its time.
if redis.call('HEXISTS', tag .. 'job', 'finished') == 0 then
  if number(part, 'added') ~= number(part, 'done') then return 0 end
  -- A server that was restarted may have lost what workers add again at once.
  anew(number(part, 'ttl'))
  if number(part, 'quiet') > now then return 0 end
  evenIfFull()
  redis.call('HSET', tag .. 'job', 'finished', int(now))
end
return redis.call('PTTL', tag .. 'job') < 0 and 1 or 2
