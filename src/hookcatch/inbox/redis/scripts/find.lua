-- ARGV: the id below which to look ('+inf' for all), how many are wanted, how many to look at, since, until, states
-- ('' for any of these three), how the type is compared ('', 'is' or 'begins') and to what; then names and values of
-- fields. Answers where to go on ('' if there is nothing more to look at) and the rows.
local below, want, look, since, before = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), ARGV[4], ARGV[5]
local wanted, compare, type_ = ARGV[6], ARGV[7], ARGV[8]
local exact = {}
for place = 9, #ARGV, 2 do
  exact[ARGV[place]] = ARGV[place + 1]
end

local function matches(event)
  for name, value in pairs(exact) do
    if event[name] ~= value then
      return false
    end
  end
  if compare == 'is' and event.type ~= type_ then
    return false
  end
  if compare == 'begins' and string.sub(event.type, 1, #type_) ~= type_ then
    return false
  end
  local at = tonumber(event.received_at)
  return (since == '' or at >= tonumber(since)) and (before == '' or at < tonumber(before))
end

local ids = {}
for _, source in ipairs(exact.source and {exact.source} or sources()) do
  for _, state in ipairs(states) do
    if wanted == '' or string.find(wanted, ',' .. state .. ',', 1, true) then
      local numbers = index('seq', state, source)
      for _, id in ipairs(call('ZREVRANGEBYSCORE', numbers, '(' .. below, '-inf', 'LIMIT', 0, look)) do
        ids[#ids + 1] = id
      end
    end
  end
end
table.sort(ids, function(one, other)
  return one > other
end)

local rows = {}
for place = 1, math.min(look, #ids) do
  local event = read(ids[place])
  if event and matches(event) then
    rows[#rows + 1] = row(event, call('HGET', key('body', event.seq), 'headers'))
    if #rows == want then
      return {'', rows}
    end
  end
end
return {#ids >= look and ids[look] or '', rows}
