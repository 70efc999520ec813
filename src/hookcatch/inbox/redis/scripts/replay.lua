-- ARGV: now; then ids.
local number = 0
for place = 2, #ARGV do
  local event = read(ARGV[place], moving)
  if event and replayable[event.state] and has_body(event) then
    begin_anew(event)
    event.replays = event.replays + 1
    put(event, 'pending', ARGV[1])
    number = number + 1
  end
end
return number
