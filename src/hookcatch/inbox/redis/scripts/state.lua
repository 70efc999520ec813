-- ARGV: id.
return call('HMGET', key('event', ARGV[1]), 'state', 'reply')
