-- ARGV: source and tenant in one.
return call('HGET', key('secrets'), ARGV[1])
