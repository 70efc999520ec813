-- ARGV: now, why; then ids.
even_when_full()
local number = 0
for place = 3, #ARGV do
  local event = read(ARGV[place], moving)
  if event and discardable[event.state] then
    event.error = ARGV[2]
    put(event, 'discarded', ARGV[1])
    number = number + 1
  end
end
return number
