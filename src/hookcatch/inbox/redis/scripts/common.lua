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
local call = redis.call

local function key(...)
  return KEYS[1] .. table.concat({...}, ':')
end

-- A server that is full refuses the first write of a script if it may take memory, and none after it. What works off
-- what is kept is to go on there, so its first write is one that can only free some.
local function even_when_full()
  call('ZREM', key('heavy'), '')
end

local function read(id)
  local values = call('HMGET', key('event', id), unpack(fields))
  if not values[1] then
    return nil
  end
  local event = {}
  for place, name in ipairs(fields) do
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
  local event = read(id)
  if event and event.token == token and leased[event.state] then
    return event
  end
  return nil
end

local function has_body(event)
  return call('EXISTS', key('body', event.seq)) == 1
end

-- Which events of a lane may be taken. The lane goes by what its earliest pending event says.
local function call_up(event)
  local lane, due = event.lane, key('at', 'pending', event.source)
  for _, id in ipairs(call('SMEMBERS', key('lane', lane, 'ready'))) do
    call('ZREM', due, id)
  end
  call('DEL', key('lane', lane, 'ready'))
  local first = call('ZRANGE', key('lane', lane, 'pending'), 0, 0)[1]
  if not first then
    return
  end
  local head, chosen = read(first), {}
  local room = head.lane_limit - call('SCARD', key('lane', lane, 'work'))
  if head.ordered == '1' then
    local is_blocked = head.blocks == '1' and call('ZCOUNT', key('lane', lane, 'parked'), '-inf', first) > 0
    if call('SCARD', key('lane', lane, 'work')) == 0 and not is_blocked then
      chosen = {first}
    end
  elseif room > 0 then
    for _, id in ipairs(call('ZRANGE', key('lane', lane, 'waiting'), 0, room - 1)) do
      -- one from the days when the lane was ordered waits for all before it
      if call('HGET', key('event', id), 'ordered') ~= '1' then
        chosen[#chosen + 1] = id
      end
    end
    if #chosen == 0 then
      chosen = {first}
    end
  end
  for _, id in ipairs(chosen) do
    call('ZADD', due, call('HGET', key('event', id), 'at'), id)
    call('SADD', key('lane', lane, 'ready'), id)
  end
end

local function leave(event)
  local id = event.seq
  call('ZREM', key('seq', event.state, event.source), id)
  call('ZREM', key('at', event.state, event.source), id)
  call('ZREM', key('back', event.source), id)
  call('ZREM', key('heavy'), id)
  if event.lane ~= '' then
    call('SREM', key('lane', event.lane, 'work'), id)
    call('SREM', key('lane', event.lane, 'ready'), id)
    for _, index in ipairs({'pending', 'waiting', 'parked', 'done'}) do
      call('ZREM', key('lane', event.lane, index), id)
    end
  end
end

local function enter_lane(event)
  local id, state = event.seq, event.state
  if state == 'pending' then
    call('ZADD', key('lane', event.lane, 'pending'), id, id)
    call('ZADD', key('lane', event.lane, 'waiting'), event.at, id)
  elseif in_work[state] then
    call('SADD', key('lane', event.lane, 'work'), id)
  elseif parked[state] then
    call('ZADD', key('lane', event.lane, 'parked'), id, id)
  elseif state == 'succeeded' and event.version ~= '' then
    call('ZADD', key('lane', event.lane, 'done'), event.version, id)
  end
end

local function enter(event)
  local id, state = event.seq, event.state
  call('ZADD', key('seq', state, event.source), id, id)
  if event.lane ~= '' then
    enter_lane(event)
  end
  if event.lane == '' or state ~= 'pending' then
    call('ZADD', key('at', state, event.source), event.at, id)
  end
  if state == 'running' then
    -- `rules.lease_is_over`, solved for now
    local back = 2 * tonumber(event.leased_at) - tonumber(event.at)
    call('ZADD', key('back', event.source), string.format('%.17g', back), id)
  elseif ended[state] and not kept_long[state] and has_body(event) then
    call('ZADD', key('heavy'), event.at, id)
  end
end

-- Put an event into a state, until or since a time, and keep all else that was changed of it.
local function put(event, state, at)
  if event.state then
    leave(event)
  end
  event.state, event.at = state, at
  if not leased[state] then
    event.token, event.leased_at = '', ''
  end
  enter(event)
  save(event, live)
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

local function row(event)
  local values = {}
  for place, name in ipairs(fields) do
    values[place] = tostring(event[name])
  end
  values[#values + 1] = call('HGET', key('body', event.seq), 'headers')
  return values
end

local function whole(event)
  return {row(event), call('HGET', key('body', event.seq), 'body'), call('HGETALL', key('runs', event.seq))}
end

local function sources()
  return call('SMEMBERS', key('sources'))
end
