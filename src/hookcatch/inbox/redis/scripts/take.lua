-- ARGV: the digest of an event's key, the token under which it may be in work, the new token, now, until.
local id = call('HGET', prefix .. 'keys', ARGV[1])
local event = id and read(id)
even_when_full()
if not event or not (event.state == 'relayed' or (event.state == 'running' and event.token == ARGV[2])) then
  return false
end
give(event, 'running', ARGV[3], ARGV[5], ARGV[4])
return whole(event)
