-- ARGV: source and tenant in one.
return call('HDEL', key('secrets'), ARGV[1])
