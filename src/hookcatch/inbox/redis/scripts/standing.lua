-- ARGV: id. The highest version that succeeded in the event's lane (false if none), and whether a later one is pending.
local event = read(ARGV[1])
if not event or event.lane == '' then
  return {false, 0}
end
local best = call('ZREVRANGE', in_lane(event.lane, 'done'), 0, 0, 'WITHSCORES')[2]
return {best or false, call('ZCOUNT', in_lane(event.lane, 'pending'), '(' .. event.seq, '+inf')}
