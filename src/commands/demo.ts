import {spawn} from 'node:child_process'
import {createHash} from 'node:crypto'
import {existsSync} from 'node:fs'
import {access, constants, copyFile, mkdtemp, readFile, rm} from 'node:fs/promises'
import {tmpdir} from 'node:os'
import {dirname, join, relative} from 'node:path'
import type {Readable} from 'node:stream'
import {text} from 'node:stream/consumers'
import {fileURLToPath} from 'node:url'

import {BaseCommand} from '../lib/base-command.js'
import {failureWith, SkkError} from '../lib/errors.js'

type Demo = {records: number; sha256: string; delivered: number; seconds: number}

const ORDERS = fileURLToPath(new URL('../../examples/orders.jsonl', import.meta.url))
const HANDLER = fileURLToPath(new URL('../../examples/count-orders', import.meta.url))
const FUNCTION = 'count-orders'
const DELIVERY_MS = 30_000

export default class DemoCommand extends BaseCommand<typeof DemoCommand> {
  static override description = 'run the main job end to end on a throw-away local stack'
  static override examples = ['<%= config.bin %> <%= command.id %>']

  async run(): Promise<Demo> {
    const started = Date.now()
    const dir = await mkdtemp(join(tmpdir(), 'skk-demo-'))
    const skk = (...args: string[]): Promise<void> => this.step(dir, args)
    let isRunning = false
    const cleanUp = async (): Promise<void> => {
      if (isRunning) await runSkk(dir, ['local', 'stop', '--quiet'], 'ignore').ended
      isRunning = false
      await rm(dir, {recursive: true, force: true})
    }
    this.onStop(cleanUp)
    try {
      // A run keeps its token beside its input: two demos at once, and one in a place that nobody may write to, have their own.
      const [file, back] = [join(dir, 'orders.jsonl'), join(dir, 'orders-back.jsonl')]
      await copyFile(ORDERS, file)
      this.note('A throw-away MSK Serverless on this machine, on free ports:')
      isRunning = true
      await skk('local', 'start', '--port', '0', '--plaintext-port', '0', '--http-port', '0')
      this.note('\nA cluster of your own, as on AWS:')
      await skk('clusters', 'create', 'shop', '--use', '--yes')
      await skk('topics', 'create', 'orders', '--partitions', '3')
      this.note('\n10,000 orders in, with IAM, and out again:')
      await skk('produce', 'orders', '--file', file)
      await skk('consume', 'orders', '--output-file', back)
      const result = await compare(ORDERS, back)
      this.note('\nA Lambda function that the topic feeds, through an event-source mapping:')
      await skk('functions', 'deploy', shownPath(HANDLER))
      await skk('esm', 'attach', '--function', FUNCTION, '--topic', 'orders', '--batch-size', '5000', '--retry')
      await untilDelivered(dir)
      await skk('groups', 'describe', `${FUNCTION}.orders`)
      await skk('functions', 'logs', FUNCTION)
      const delivered = await countDelivered(dir, result.records)
      await skk('local', 'stop')
      const seconds = (Date.now() - started) / 1000
      this.note('')
      this.log(
        `${result.records} records in, ${result.records} records out, the same bytes: sha256 ${result.sha256} (lines sorted)`,
      )
      this.log(`${delivered} records delivered to function "${FUNCTION}", lag 0`)
      this.log(`${seconds.toFixed(1)} s`)
      this.note(nowYou(shownPath(ORDERS), await resumeFlag(), shownPath(HANDLER)))
      return {...result, delivered, seconds}
    } finally {
      await cleanUp()
    }
  }

  /** Shows the command as a person types it, and runs it. Throws SkkError when it fails. */
  private async step(dir: string, args: readonly string[]): Promise<void> {
    this.note(`\n$ skk ${args.join(' ')}`)
    const exitCode = await runSkk(
      dir,
      [...args, ...(this.flags.quiet ? ['--quiet'] : [])],
      this.jsonEnabled() ? 'ignore' : 'inherit',
    ).ended
    if (exitCode === 0) return
    throw new SkkError(`\`skk ${args.join(' ')}\` ended with exit code ${exitCode}`, {
      code: 'DEMO_FAILED',
      // A full disk is 9 here, too.
      exit: failureWith(exitCode) ?? 'unavailable',
      hint: 'Read what it said above, and run `skk demo` again.',
    })
  }
}

/** Runs this very skk with a home of its own, so that nothing of the user's is read or changed. */
function runSkk(
  dir: string,
  args: readonly string[],
  output: 'inherit' | 'ignore' | 'pipe',
): {ended: Promise<number | null>; stdout: Readable | null} {
  const foreign = /^(AWS_|SKK_|KAFKA_|XDG_)/
  const kept = Object.entries(process.env).filter(([name]) => !foreign.test(name))
  const home = {
    HOME: dir,
    XDG_CONFIG_HOME: join(dir, 'config'),
    XDG_DATA_HOME: join(dir, 'data'),
    XDG_CACHE_HOME: join(dir, 'cache'),
  }
  const child = spawn(process.execPath, [process.argv[1]!, ...args], {
    stdio: ['ignore', output, output === 'inherit' ? 'inherit' : 'ignore'],
    env: {...Object.fromEntries(kept), ...home, LOCALAPPDATA: dir},
  })
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('exit', resolve)
  })
  return {ended, stdout: child.stdout}
}

/** Returns when the mapping's group has no lag. Throws SkkError when it still has after a while. */
async function untilDelivered(dir: string): Promise<void> {
  const end = Date.now() + DELIVERY_MS
  for (;;) {
    const exitCode = await runSkk(dir, ['groups', 'describe', `${FUNCTION}.orders`, '--fail-over', '0'], 'ignore').ended
    if (exitCode === 0) return
    if (Date.now() > end) throw mismatch(`the function did not get all records within ${DELIVERY_MS / 1000} s`)
  }
}

/** How many records the function says that it got. Throws SkkError when they are not all: a mapping delivers at least once. */
async function countDelivered(dir: string, wanted: number): Promise<number> {
  const {ended, stdout} = runSkk(dir, ['functions', 'logs', FUNCTION, '--json'], 'pipe')
  const [log] = await Promise.all([text(stdout!), ended])
  const delivered = [...log.matchAll(/\\t(\d+) orders,/g)].reduce((sum, [, count]) => sum + Number(count), 0)
  if (delivered >= wanted) return delivered
  throw mismatch(`${wanted} records went in, the function got ${delivered}`)
}

/** Kafka keeps the order within a partition only, so the lines are compared sorted. Throws SkkError when they differ. */
async function compare(sent: string, received: string): Promise<{records: number; sha256: string}> {
  const [input, output] = await Promise.all([sortedLines(sent), sortedLines(received)])
  if (input.sha256 === output.sha256) return input
  throw mismatch(
    `${input.records} records went in (sha256 ${input.sha256}), ${output.records} came out (sha256 ${output.sha256})`,
  )
}

const mismatch = (message: string): SkkError =>
  new SkkError(message, {
    code: 'DEMO_MISMATCH',
    exit: 'partial',
    hint: 'This is a bug in skk; run `skk demo --debug` and report what it prints.',
  })

async function sortedLines(file: string): Promise<{records: number; sha256: string}> {
  const lines = (await readFile(file, 'latin1')).split('\n').slice(0, -1).sort()
  return {records: lines.length, sha256: createHash('sha256').update(lines.join('\n'), 'latin1').digest('hex')}
}

/** As short as it works from here. */
function shownPath(file: string): string {
  const path = relative(process.cwd(), file)
  return existsSync(path) && !path.startsWith('..') ? path : file
}

/** Where nobody may write beside the orders, the token of `skk produce` goes here. */
async function resumeFlag(): Promise<string> {
  const isWritable = await access(dirname(ORDERS), constants.W_OK).then(
    () => true,
    () => false,
  )
  return isWritable ? '' : ' --resume-file orders.skk-resume'
}

const nowYou = (file: string, resume: string, handler: string): string => `
Now you:

  skk local start
  skk topics create orders --partitions 3
  skk produce orders --file ${file}${resume}
  skk consume orders --limit 3
  skk topics describe orders
  skk functions deploy ${handler}
  skk esm attach --function ${FUNCTION} --topic orders --retry
  skk functions logs ${FUNCTION}
  skk local stop`
