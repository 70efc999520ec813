-- ARGV: now; then id and token of each lease.
even_when_full()
for place = 2, #ARGV, 2 do
  local event = held(ARGV[place], ARGV[place + 1])
  if event then
    event.attempt = event.attempt - 1
    event.error = ''
    put(event, event.state == 'running' and 'pending' or 'failed', ARGV[1])
  end
end
