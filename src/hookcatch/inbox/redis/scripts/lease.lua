-- ARGV: token, limit, now, until, the source to take from ('' for all); then sources and their caps.
local token, limit, now, expires, only = unpack(ARGV, 1, 5)
limit = tonumber(limit)
local caps = {}
for place = 6, #ARGV, 2 do
  caps[ARGV[place]] = tonumber(ARGV[place + 1])
end
even_when_full()

local found, seen = {}, {}

local function add(at, id, state, source)
  if not seen[id] then
    seen[id] = true
    found[#found + 1] = {at = tonumber(at), id = id, state = state, source = source}
  end
end

local function due(state, source, room)
  local times = index('at', state, source)
  local some = call('ZRANGEBYSCORE', times, '-inf', now, 'WITHSCORES', 'LIMIT', 0, room)
  for place = 1, #some, 2 do
    add(some[place + 1], some[place], state, source)
  end
end

local function room_of(source)
  if not caps[source] then
    return limit
  end
  local in_work = call('ZCARD', index('seq', 'running', source)) + call('ZCARD', index('seq', 'relayed', source))
  return math.max(0, math.min(limit, caps[source] - in_work))
end

for _, source in ipairs(only ~= '' and {only} or sources()) do
  due('running', source, limit)
  due('relayed', source, limit)
  due('pending', source, room_of(source))
  for _, id in ipairs(call('ZRANGEBYSCORE', key('back', source), '(' .. now, '+inf', 'LIMIT', 0, limit)) do
    add(call('ZSCORE', index('at', 'running', source), id), id, 'running', source)
  end
end

table.sort(found, function(one, other)
  return one.at < other.at or (one.at == other.at and one.id < other.id)
end)

local function is_stopped(event)
  return event.state == 'pending' and event.lane ~= ''
    and call('SISMEMBER', in_lane(event.lane, 'ready'), event.seq) == 0
end

local leases, is_last_taken = {}, false

local function take(event)
  local is_lost = event.state == 'running'
  local lost = event.lost + (is_lost and 1 or 0)
  local is_last = lost == max_lost - 1
  -- see `rules.one_last_chance`
  if is_stopped(event) or (is_last and is_last_taken) then
    return
  end
  is_last_taken = is_last_taken or is_last
  event.lost = lost
  if is_lost and lost >= max_lost then
    event.error = worker_lost
    put(event, 'dead', now)
  elseif not has_body(event) then
    event.error = 'evicted'
    put(event, 'dead', now)
  else
    event.attempt = event.attempt + 1
    give(event, 'running', token, expires, now)
    leases[#leases + 1] = whole(event)
  end
end

for place = 1, math.min(limit, #found) do
  local one = found[place]
  local event = read(one.id)
  if event then
    take(event)
  else
    forget(one.id, one.state, one.source)
  end
end
return leases
