-- ARGV: id, then for each lease: key, token, milliseconds until its next start, gap, note, and whether it is kept
-- Replies for each lease: 1, or 0 if it is another's by now. What is kept stays leased: only what is known of it changes.
local function set(name, key, value, none)
  if value == none or redis.call('HEXISTS', part, 'over') == 1 then
    redis.call('HDEL', tag .. name, key)
  else
    redis.call('HSET', tag .. name, key, value)
  end
end
evenIfFull()
local reply = {}
for i = 2, #ARGV, 6 do
  local key, pause = ARGV[i], tonumber(ARGV[i + 2])
  local mine = redis.call('HGET', tag .. 'tok', key) == ARGV[i + 1]
  if mine then
    set('gap', key, ARGV[i + 3], '0')
    set('note', key, ARGV[i + 4], '')
    if ARGV[i + 5] == '1' then
      set('next', key, int(now + pause), int(now))
    else
      giveBack(key)
      free(key, now + pause)
    end
  end
  reply[#reply + 1] = mine and 1 or 0
end
return reply
