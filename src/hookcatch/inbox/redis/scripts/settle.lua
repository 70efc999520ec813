-- ARGV: id, token, the next state ('' to keep the lease), its time, error, reply ('' for the one that is there); then
-- handler and facts of each run.
local event = held(ARGV[1], ARGV[2])
if not event then
  return 0
end
even_when_full()
local state, at, why, reply = unpack(ARGV, 3, 6)
if state ~= '' then
  event.error = why
  event.reply = reply ~= '' and reply or event.reply
  event.lost = state == 'relayed' and event.lost or 0
  put(event, state, at)
end
for place = 7, #ARGV, 2 do
  local known = call('HGET', key('runs', event.seq), ARGV[place])
  if not known or string.find(known, 'succeeded ', 1, true) ~= 1 then
    call('HSET', key('runs', event.seq), ARGV[place], ARGV[place + 1])
  end
end
return 1
