-- ARGV: before when keys go, before when bodies go.
even_when_full()
local number = 0

local function drop(event)
  leave(event)
  if event.lane ~= '' then
    call_up(event)
  end
  call('DEL', key('event', event.seq), key('body', event.seq), key('runs', event.seq))
  call('HDEL', key('keys'), event.key)
  if event.content ~= '' and call('HGET', key('contents'), event.content) == event.seq then
    call('HDEL', key('contents'), event.content)
  end
end

local function before(index, time)
  return call('ZRANGEBYSCORE', index, '-inf', '(' .. time, 'LIMIT', 0, prune_limit - number)
end

for _, source in ipairs(sources()) do
  for _, state in ipairs(states) do
    if ended[state] or state == 'handling' then
      for _, id in ipairs(before(key('at', state, source), ARGV[1])) do
        drop(read(id))
        number = number + 1
      end
    end
  end
end
for _, id in ipairs(before(key('heavy'), ARGV[2])) do
  call('DEL', key('body', id))
  call('ZREM', key('heavy'), id)
  number = number + 1
end
return number
