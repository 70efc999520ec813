-- ARGV: before when keys go, before when bodies go.
even_when_full()
local number = 0

local function drop(event)
  leave(event)
  if event.lane ~= '' then
    call_up(event)
  end
  call('DEL', key('event', event.seq), key('body', event.seq), key('runs', event.seq))
  call('HDEL', prefix .. 'keys', event.key)
  if event.content ~= '' and call('HGET', prefix .. 'contents', event.content) == event.seq then
    call('HDEL', prefix .. 'contents', event.content)
  end
end

local function before(times, time)
  return call('ZRANGEBYSCORE', times, '-inf', '(' .. time, 'LIMIT', 0, prune_limit - number)
end

for _, source in ipairs(sources()) do
  for _, state in ipairs(states) do
    if ended[state] or state == 'handling' then
      for _, id in ipairs(before(index('at', state, source), ARGV[1])) do
        local event = read(id)
        if event then
          drop(event)
        else
          forget(id, state, source)
        end
        number = number + 1
      end
    end
  end
end
for _, id in ipairs(before(heavy, ARGV[2])) do
  call('DEL', key('body', id))
  call('ZREM', heavy, id)
  number = number + 1
end
return number
