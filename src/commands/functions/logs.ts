import {join} from 'node:path'

import {Args, Flags} from '@oclif/core'

import {cloudWatchLog, type LogLine} from '../../lib/aws/function-logs.js'
import {getFunction} from '../../lib/aws/functions.js'
import {durationFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {localLog} from '../../lib/functions/local-log.js'
import {FunctionsCommand} from '../../lib/functions-command.js'
import {sanitize} from '../../lib/output/sanitize.js'
import {write} from '../../lib/output/stdout.js'

const SINCE_MS = 15 * 60_000

export default class FunctionsLogs extends FunctionsCommand<typeof FunctionsLogs> {
  static override description = `print what a Lambda function logged

From CloudWatch Logs, or from the local stack. With --json each line is an object on a line of its own`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders --follow',
    {description: 'the last two hours', command: '<%= config.bin %> <%= command.id %> orders --since 2h'},
  ]

  static override args = {name: Args.string({name: 'NAME', description: 'name of the function'})}

  static override flags = {
    follow: Flags.boolean({description: 'go on with what it logs from now on'}),
    since: durationFlag({description: 'how far to look back (default 15m)'}),
  }

  async run(): Promise<void> {
    const account = await this.account()
    const name = await this.named(account, this.args.name)
    if (!(await this.withLambda(account, (lambda) => getFunction(lambda, name)))) {
      throw new SkkError(`there is no function "${name}"`, {
        code: 'FUNCTION_NOT_FOUND',
        exit: 'notFound',
        hint: 'Run `skk functions list` to see the functions.',
      })
    }
    const stop = new AbortController()
    const options = {since: Date.now() - (this.flags.since ?? SINCE_MS), follow: this.flags.follow, signal: stop.signal}
    const dataDir = account.account.dataDir ?? join(this.config.dataDir, 'local')
    const lines =
      account.account.credentials === 'local' ? localLog(dataDir, name, options) : cloudWatchLog(account, name, options)
    const printing = this.print(lines)
    this.onStop(() => {
      stop.abort()
      return printing.catch(() => {})
    })
    if ((await printing) === 0) this.note(`function "${name}" logged nothing in that time`)
  }

  private async print(lines: AsyncIterable<LogLine>): Promise<number> {
    let count = 0
    for await (const {timestamp, message} of lines) {
      count++
      const at = new Date(timestamp).toISOString()
      if (this.jsonEnabled()) write(`${JSON.stringify(this.toSuccessJson({timestamp: at, message}))}\n`)
      else write(`${at} ${process.stdout.isTTY ? sanitize(message) : message}\n`)
    }
    return count
  }
}
