-- ARGV: until, now; then id and token of each lease.
even_when_full()
local answers = {}
for place = 3, #ARGV, 2 do
  local event = held(ARGV[place], ARGV[place + 1])
  if event then
    give(event, event.state, event.token, ARGV[1], ARGV[2])
  end
  answers[#answers + 1] = event and 1 or 0
end
return answers
