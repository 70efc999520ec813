-- ARGV: the state of a claim ('' for none), its token and end; before when a dead event has to have ended ('' for
-- never); 1 to refuse replayed content. Then for each event the `given` fields, when it is due, body and headers.
local claim, token, expires, revive_before, refuse = unpack(ARGV, 1, 5)

local function start(event, new)
  event.error = ''
  if claim == '' then
    put(event, 'pending', new.due)
  else
    event.attempt = event.attempt + 1
    give(event, claim, token, expires, new.received_at)
  end
end

local function duplicate(event, conflict, replayed)
  local lease_until = leased[event.state] and event.at or ''
  return {'duplicate', event.seq, event.state, conflict, replayed, lease_until, event.reply}
end

-- See `rules.lease_is_over`.
local function is_over(event, now)
  local ends, since = tonumber(event.at), tonumber(event.leased_at)
  return ends <= now or ends - now > 2 * (ends - since)
end

-- See `rules.meet`.
local function meeting(event, now)
  if event.state == 'failed' and has_body(event) then
    return 'again'
  end
  if event.state == 'handling' and is_over(event, now) then
    return 'again'
  end
  if event.state ~= 'dead' or revive_before == '' or not has_body(event) then
    return 'duplicate'
  end
  return tonumber(event.at) < tonumber(revive_before) and 'revive' or 'duplicate'
end

local function meet(event, new)
  local conflict = event.body_hash ~= new.body_hash and 1 or 0
  event.duplicates = event.duplicates + 1
  event.conflicts = event.conflicts + conflict
  local what = meeting(event, tonumber(new.received_at))
  if what == 'duplicate' then
    save(event, {'duplicates', 'conflicts'})
    return duplicate(event, conflict, 0)
  end
  if what == 'revive' then
    begin_anew(event)
  end
  start(event, new)
  local lease = claim ~= '' and whole(event)
  return {'accepted', event.seq, what == 'revive' and 1 or 0, event.replayed, lease}
end

local function keep(new)
  local first = new.content ~= '' and call('HGET', prefix .. 'contents', new.content)
  local twin = first and read(first)
  if twin and refuse == '1' then
    twin.duplicates = twin.duplicates + 1
    save(twin, {'duplicates'})
    return duplicate(twin, 0, 1)
  end
  new.seq = string.format('%016d', call('INCR', prefix .. 'seq'))
  new.replayed = twin and 1 or 0
  new.attempt, new.lost, new.replays, new.duplicates, new.conflicts, new.reply = 0, 0, 0, 0, 0, ''
  call('HSET', key('body', new.seq), 'body', new.body, 'headers', new.headers)
  call('SADD', prefix .. 'sources', new.source)
  call('HSET', prefix .. 'keys', new.key, new.seq)
  if new.content ~= '' and not twin then
    call('HSET', prefix .. 'contents', new.content, new.seq)
  end
  start(new, new)
  return {'new', new.seq, 0, new.replayed, false}
end

local answers = {}
for place = 6, #ARGV, #given + 3 do
  local new = {}
  for nth, name in ipairs(given) do
    new[name] = ARGV[place + nth - 1]
  end
  new.due, new.body, new.headers = unpack(ARGV, place + #given, place + #given + 2)
  local known = call('HGET', prefix .. 'keys', new.key)
  local event = known and read(known)
  answers[#answers + 1] = event and meet(event, new) or keep(new)
end
return answers
