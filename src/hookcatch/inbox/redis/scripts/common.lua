-- What every script begins with; before it stand the sets of states, the names of fields and the numbers of `rules`.
--
-- KEYS[1] holds a hash tag, so that all keys are in one slot of a cluster. Below it:
--   seq                   the last number
--   sources               the names of all sources
--   keys                  digest of an event's key -> its id, which is its number with zeros in front
--   contents              digest of signed content -> the id that came with it first
--   secrets               what senders brought, by source and tenant
--   event:ID              the fields of an event
--   body:ID               its body and headers, until retention takes them
--   runs:ID               handler -> "state facts"
--   seq:STATE:SOURCE      ids by number
--   at:STATE:SOURCE       ids by `at`: when it is due, when its lease ends, or when it ended; of what is pending only
--                         what nobody in its lane stands in the way of
--   back:SOURCE           ids that are running, by the time below which their lease counts as absurdly far ahead
--   heavy                 ids of what ended well and has its body still, by when it ended
--   lane:LANE:pending     ids by number      lane:LANE:waiting     the same by when they are due
--   lane:LANE:ready       of these the ones in at:pending:SOURCE
--   lane:LANE:work        ids in work        lane:LANE:parked      ids by number
--   lane:LANE:done        ids that succeeded, by version
--
-- Times come in as text and go out as text: Lua would round them to 14 digits.
local call, prefix = redis.call, KEYS[1]
local heavy = prefix .. 'heavy'

local function key(name, of)
  return prefix .. name .. ':' .. of
end

local function index(kind, state, source)
  return prefix .. kind .. ':' .. state .. ':' .. source
end

local function in_lane(lane, what)
  return prefix .. 'lane:' .. lane .. ':' .. what
end

-- A server that is full refuses the first write of a script if it may take memory, and none after it. What works off
-- what is kept is to go on there, so its first write is one that can only free some.
local function even_when_full()
  call('ZREM', heavy, '')
end

-- An event with all its fields or those in `names`; nil if there is none.
local function read(id, names)
  names = names or fields
  local values = call('HMGET', key('event', id), unpack(names))
  if not values[1] then
    return nil
  end
  local event = {}
  for place, name in ipairs(names) do
    event[name] = values[place]
  end
  return event
end

local function save(event, names)
  local values = {}
  for _, name in ipairs(names) do
    values[#values + 1] = name
    values[#values + 1] = event[name]
  end
  call('HSET', key('event', event.seq), unpack(values))
end

local function held(id, token)
  local event = read(id, moving)
  if event and event.token == token and leased[event.state] then
    return event
  end
  return nil
end

local function has_body(event)
  return call('EXISTS', key('body', event.seq)) == 1
end

-- An event that is in an index and is not there: a server that is not strict has evicted it.
local function forget(id, state, source)
  call('ZREM', index('seq', state, source), id)
  call('ZREM', index('at', state, source), id)
  call('ZREM', key('back', source), id)
  call('ZREM', heavy, id)
end

-- The earliest pending event of a lane.
local function head_of(lane)
  while true do
    local first = call('ZRANGE', in_lane(lane, 'pending'), 0, 0)[1]
    local head = first and read(first)
    if head or not first then
      return head
    end
    call('ZREM', in_lane(lane, 'pending'), first)
    call('ZREM', in_lane(lane, 'waiting'), first)
  end
end

-- Which events of a lane may be taken now. It goes by what its earliest pending event says.
local function may_go(lane)
  local head, working = head_of(lane), call('SCARD', in_lane(lane, 'work'))
  if not head then
    return {}
  end
  if head.ordered == '1' then
    local is_blocked = head.blocks == '1' and call('ZCOUNT', in_lane(lane, 'parked'), '-inf', head.seq) > 0
    return (working > 0 or is_blocked) and {} or {head.seq}
  end
  local room, chosen = math.min(head.lane_limit - working, lane_look), {}
  if room <= 0 then
    return {}
  end
  for _, id in ipairs(call('ZRANGE', in_lane(lane, 'waiting'), 0, room - 1)) do
    -- one from the days when the lane was ordered waits for all before it
    if call('HGET', key('event', id), 'ordered') == '0' then
      chosen[#chosen + 1] = id
    end
  end
  return #chosen > 0 and chosen or {head.seq}
end

-- Show the workers which events of an event's lane they may take.
local function call_up(event)
  local due, ready, goes = index('at', 'pending', event.source), in_lane(event.lane, 'ready'), {}
  for _, id in ipairs(may_go(event.lane)) do
    goes[id] = true
    call('ZADD', due, call('HGET', key('event', id), 'at'), id)
    call('SADD', ready, id)
  end
  for _, id in ipairs(call('SMEMBERS', ready)) do
    if not goes[id] then
      call('ZREM', due, id)
      call('SREM', ready, id)
    end
  end
end

local function leave(event)
  local id = event.seq
  call('ZREM', index('seq', event.state, event.source), id)
  call('ZREM', index('at', event.state, event.source), id)
  if event.state == 'running' then
    call('ZREM', key('back', event.source), id)
  elseif ended[event.state] and not kept_long[event.state] then
    call('ZREM', heavy, id)
  end
  if event.lane ~= '' then
    call('SREM', in_lane(event.lane, 'work'), id)
    call('SREM', in_lane(event.lane, 'ready'), id)
    for _, what in ipairs({'pending', 'waiting', 'parked', 'done'}) do
      call('ZREM', in_lane(event.lane, what), id)
    end
  end
end

local function enter_lane(event)
  local id, state = event.seq, event.state
  if state == 'pending' then
    call('ZADD', in_lane(event.lane, 'pending'), id, id)
    call('ZADD', in_lane(event.lane, 'waiting'), event.at, id)
  elseif in_work[state] then
    call('SADD', in_lane(event.lane, 'work'), id)
  elseif parked[state] then
    call('ZADD', in_lane(event.lane, 'parked'), id, id)
  elseif state == 'succeeded' and event.version ~= '' then
    call('ZADD', in_lane(event.lane, 'done'), event.version, id)
  end
end

local function enter(event)
  local id, state = event.seq, event.state
  call('ZADD', index('seq', state, event.source), id, id)
  if event.lane ~= '' then
    enter_lane(event)
  end
  if event.lane == '' or state ~= 'pending' then
    call('ZADD', index('at', state, event.source), event.at, id)
  end
  if state == 'running' then
    -- `rules.lease_is_over`, solved for now
    local back = 2 * tonumber(event.leased_at) - tonumber(event.at)
    call('ZADD', key('back', event.source), string.format('%.17g', back), id)
  elseif ended[state] and not kept_long[state] and has_body(event) then
    call('ZADD', heavy, event.at, id)
  end
end

-- Put an event into a state, until or since a time, and keep all else that was changed of it.
local function put(event, state, at)
  local is_new = not event.state
  if not is_new then
    leave(event)
  end
  event.state, event.at = state, at
  if not leased[state] then
    event.token, event.leased_at = '', ''
  end
  enter(event)
  save(event, is_new and fields or live)
  if event.lane ~= '' then
    call_up(event)
  end
end

local function give(event, state, token, expires, now)
  event.token, event.leased_at = token, now
  put(event, state, expires)
end

local function begin_anew(event)
  event.attempt, event.lost, event.error = 0, 0, ''
  call('DEL', key('runs', event.seq))
end

-- How an event is told: its fields, then its headers.
local function row(event, headers)
  local values = {}
  for place, name in ipairs(fields) do
    values[place] = tostring(event[name])
  end
  values[#values + 1] = headers
  return values
end

local function whole(event)
  local kept = call('HMGET', key('body', event.seq), 'headers', 'body')
  return {row(event, kept[1]), kept[2], call('HGETALL', key('runs', event.seq))}
end

local function sources()
  return call('SMEMBERS', prefix .. 'sources')
end
