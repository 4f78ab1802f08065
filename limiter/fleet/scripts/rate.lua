-- In partition 0. Hands out tokens of a rate that all workers share, ahead of the time at which they are due (GCRA,
-- ITU-T I.371: each token has its place on one schedule, whoever uses it), and takes back what is not wanted after all.
-- ARGV: id, name, worker, tokens a second, how many are wanted, how many it may have whoever else asks; in microseconds:
--   how far ahead all who ask may be together, and how late a token may be handed out;
--   then for each piece of the schedule that is given back: when it begins, tokens
-- Replies {tokens, microseconds until the period of the first begins (below 0: since), microseconds of now}.
local name, perSecond, want = ARGV[2], tonumber(ARGV[4]), tonumber(ARGV[5])
local rates, askers = tag .. 'rates', tag .. 'askers'
local period, oldest = 1000000 / perSecond, micros - tonumber(ARGV[8])

-- The first command that writes takes no memory: a server that is full lets the rest of the script through.
redis.call('ZREMRANGEBYSCORE', askers, '-inf', int(now - 1000))

-- What was given back goes to who asks next, in its old place.
local back = {}
for begin, n in string.gmatch(redis.call('HGET', rates, name .. ' back') or '', '(%d+) (%d+)') do
  back[#back + 1] = {tonumber(begin), tonumber(n)}
end
for i = 9, #ARGV, 2 do back[#back + 1] = {tonumber(ARGV[i]), tonumber(ARGV[i + 1])} end
local had = #back
local function usable()
  local piece = back[1]
  if not piece then return end
  local late = math.max(0, math.ceil((oldest - piece[1]) / period - 1))
  if late == 0 then return piece end
  piece[1], piece[2] = piece[1] + math.ceil(late * period), piece[2] - late
  if piece[2] > 0 then return piece end
  table.remove(back, 1)
  return usable()
end

local n, begin = 0, micros
if want > 0 then
  redis.call('ZADD', askers, int(now), ARGV[3])
  local share = perSecond * tonumber(ARGV[7]) / 1000000 / redis.call('ZCARD', askers)
  n = math.min(want, math.max(1, tonumber(ARGV[6]), math.floor(share)))
  local piece = usable()
  if piece then
    n = math.min(n, piece[2])
    begin = piece[1]
    piece[1], piece[2] = begin + math.ceil(n * period), piece[2] - n
    if piece[2] == 0 then table.remove(back, 1) end
  else
    local due = redis.call('HGET', rates, name)
    if due then begin = math.max(tonumber(due), oldest) end -- else nothing is saved: it starts now
    redis.call('HSET', rates, name, string.format('%.2f', begin + n * period))
  end
end
if had > 0 then
  local words = {}
  for i = 1, math.min(#back, 64) do words[i] = int(back[i][1]) .. ' ' .. int(back[i][2]) end
  redis.call('HSET', rates, name .. ' back', table.concat(words, ' '))
end

local left = redis.call('PTTL', tag .. 'job')
if left > 0 then -- of a finished job nothing is to stay
  redis.call('PEXPIRE', askers, left)
  redis.call('PEXPIRE', rates, left)
end
return {n, math.ceil(begin - micros), micros}
