// Loaded into the fuzzed stack: V8 lets garbage lie for as long as there is room, so memory is compared after a collection. Nor is
// V8 to make room for more of it: the young generation would grow to 32 MB at some time, and keep them.
const {setFlagsFromString} = require('node:v8')
const {runInNewContext} = require('node:vm')

setFlagsFromString('--expose-gc')
setFlagsFromString('--semi-space-growth-factor=1')
const collect = runInNewContext('gc')
process.on('SIGUSR2', () => {
  collect()
  setImmediate(collect) // what the first one finished with
})
