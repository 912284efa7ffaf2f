import {readFile} from 'node:fs/promises'
import {buffer} from 'node:stream/consumers'

import {Args, Flags} from '@oclif/core'

import {type Answer, invokeFunction} from '../../lib/aws/functions.js'
import {SkkError} from '../../lib/errors.js'
import {FunctionsCommand} from '../../lib/functions-command.js'
import {sanitize} from '../../lib/output/sanitize.js'

type Invoked = Omit<Answer, 'payload'> & {payload: unknown}

export default class FunctionsInvoke extends FunctionsCommand<typeof FunctionsInvoke> {
  static override description = `run a Lambda function once, and print its answer

An error of the function is printed as Lambda gives it, and ends with exit code 7`

  static override examples = [
    '<%= config.bin %> <%= command.id %> orders --payload event.json',
    {
      description: 'with the end of its log',
      command: "echo '{}' | <%= config.bin %> <%= command.id %> orders --payload - --tail",
    },
  ]

  static override args = {name: Args.string({name: 'NAME', description: 'name of the function, or NAME:ALIAS'})}

  static override flags = {
    payload: Flags.string({description: 'file with the JSON to give it, - is standard input (default {})', helpValue: '<file>'}),
    async: Flags.boolean({description: 'leave it in a queue, and do not wait', exclusive: ['tail']}),
    tail: Flags.boolean({description: 'print the end of its log on standard error'}),
  }

  async run(): Promise<Invoked> {
    const {async, tail} = this.flags
    const account = await this.account()
    const name = await this.named(account, this.args.name)
    const payload = await readPayload(this.flags.payload)
    const answer = await this.withLambda(account, (lambda) => invokeFunction(lambda, name, payload, {async, tail}))
    if (answer.log !== null) process.stderr.write(sanitize(answer.log))
    if (async) this.note(`queued an invocation of "${name}"`)
    else this.log(process.stdout.isTTY ? sanitize(answer.payload.toString()) : answer.payload.toString())

    const invoked = {...answer, payload: parsed(answer.payload)}
    if (answer.functionError === null) return invoked
    if (this.jsonEnabled()) this.logJson(this.toSuccessJson(invoked))
    throw new SkkError(`function "${name}" failed: ${errorOf(invoked.payload)}`, {
      code: 'FUNCTION_ERROR',
      exit: 'partial',
      hint: `Run \`skk functions logs ${name}\` to see what it logged.`,
    })
  }
}

/** Throws SkkError (local I/O) when it cannot be read or is not JSON. */
async function readPayload(file: string | undefined): Promise<Buffer> {
  if (file === undefined) return Buffer.from('{}')
  try {
    const payload = file === '-' ? await buffer(process.stdin) : await readFile(file)
    JSON.parse(payload.toString())
    return payload
  } catch (cause) {
    const from = file === '-' ? 'standard input' : `"${file}"`
    const why = cause instanceof SyntaxError ? `${from} is not JSON` : `cannot read ${from}`
    throw new SkkError(`${why}: ${(cause as Error).message}`, {code: 'BAD_PAYLOAD', exit: 'localIo', cause})
  }
}

function parsed(payload: Buffer): unknown {
  if (payload.length === 0) return null
  try {
    return JSON.parse(payload.toString())
  } catch {
    return payload.toString()
  }
}

function errorOf(payload: unknown): string {
  const {errorType, errorMessage} = (payload ?? {}) as {errorType?: string; errorMessage?: string}
  return [errorType, errorMessage].filter(Boolean).join(': ') || 'it gives no reason'
}
