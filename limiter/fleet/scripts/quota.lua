-- In partition 0. Takes n of what a job may be given in all, or gives -n back. ARGV: id, n, most
-- Replies {how many were taken}.
local n = tonumber(ARGV[2])
local taken = number(tag .. 'job', 'taken')
n = math.min(n, math.max(0, tonumber(ARGV[3]) - taken))
if n ~= 0 then redis.call('HINCRBY', tag .. 'job', 'taken', n) end
return {n}
