// Says in one line which Node is needed. Syntax and imports that the oldest Node with modules can read.
var parts = process.versions.node.split('.').map(Number)
if (parts[0] < 20 || (parts[0] === 20 && parts[1] < 19)) {
  process.stderr.write('error: skk needs Node.js 20.19 or newer, this is ' + process.version + '\n')
  process.exit(2)
}
