-- ARGV: id.
local event = read(ARGV[1])
return event and whole(event) or false
