return call('HKEYS', key('secrets'))
