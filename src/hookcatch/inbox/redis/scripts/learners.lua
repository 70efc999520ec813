return call('HKEYS', prefix .. 'secrets')
