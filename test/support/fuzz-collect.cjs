// Loaded into the fuzzed stack: V8 lets garbage lie for as long as there is room, so memory is compared after a collection.
const {setFlagsFromString} = require('node:v8')
const {runInNewContext} = require('node:vm')

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc')
process.on('SIGUSR2', () => {
  collect()
  setImmediate(collect) // what the first one finished with
})
