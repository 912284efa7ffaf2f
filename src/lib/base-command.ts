import {join, resolve} from 'node:path'

import {Command, Flags, type Interfaces} from '@oclif/core'
import {isProtected, locate} from './contexts/bootstrap.js'
import {guardToken, watched} from './contexts/token.js'
import {listContextNames, resolveAccount, resolveTarget, type Surroundings, type Target} from './contexts.js'
import {parseDuration} from './duration.js'
import {SkkError} from './errors.js'
import {asFailure} from './failures.js'
import type {KafkaTarget} from './kafka/target.js'
import {colorStderr} from './output/color.js'
import {renderFailure, renderFailureJson, renderStack} from './output/failure.js'
import {asTyped} from './output/invocation.js'
import {type Progress, startProgress} from './output/progress.js'
import {askChoice, askText, askYesNo, canAsk} from './output/prompt.js'
import {compileQuery} from './output/query.js'
import {wipeRows} from './output/rows.js'
import {sanitize, sanitizeJson} from './output/sanitize.js'
import {write} from './output/stdout.js'
import {type Columns, renderPlain, renderTable} from './output/table.js'
import {type Cleanup, exitCodeOf, onStop, stopFinished, stopReason} from './shutdown.js'

type FlagsOf<C extends typeof Command> = Interfaces.InferredFlags<(typeof BaseCommand)['baseFlags'] & C['flags']>
type ArgsOf<C extends typeof Command> = Interfaces.InferredArgs<C['args']>

/** Something that the user left out: how it is named in an error, how it is typed, and how it can be asked for. */
export type Question = {
  /** `TOPIC` for an argument, `--function` for a flag. */
  name: string
  message: string
  /** A plausible value, for the line that would do. */
  example: string
  choices?: () => Promise<readonly string[]>
}

/** A duration with its unit; its value is in milliseconds. */
export const durationFlag = Flags.custom<number>({parse: async (text) => parseDuration(text), helpValue: '<duration>'})

/** For every command that deletes or spends. */
export const confirmationFlags = {
  yes: Flags.boolean({char: 'y', description: 'answer yes to the confirmation'}),
  confirm: Flags.string({
    description: 'name of what is deleted on a protected cluster, once each',
    multiple: true,
    multipleNonGreedy: true,
    helpValue: '<name>',
  }),
}

/** For every command that changes something. */
export const dryRunFlag = {'dry-run': Flags.boolean({description: 'say what would be done, and do nothing'})}

/** For the commands of the local stack. */
export const dataDirFlag = {
  'data-dir': Flags.string({description: 'directory of the stack, if not the default one', helpValue: '<directory>'}),
}

const GLOBAL = 'GLOBAL'

const CALL_MS = 10_000

/** Everything the commands share, and the only class that touches oclif's lifecycle. */
export abstract class BaseCommand<C extends typeof Command> extends Command {
  static override enableJsonFlag = true

  static override baseFlags = {
    context: Flags.string({char: 'c', description: 'one of your contexts', helpGroup: GLOBAL, helpValue: '<name>'}),
    cluster: Flags.string({description: 'name or ARN of an MSK cluster', helpGroup: GLOBAL, helpValue: '<name|arn>'}),
    bootstrap: Flags.string({
      description: 'addresses of brokers, separated by commas',
      helpGroup: GLOBAL,
      helpValue: '<host:port>',
      exclusive: ['cluster'],
    }),
    region: Flags.string({description: 'AWS region', helpGroup: GLOBAL}),
    profile: Flags.string({description: 'profile of your AWS configuration', helpGroup: GLOBAL}),
    auth: Flags.option({options: ['iam', 'none'] as const, description: 'how to log in to the brokers', helpGroup: GLOBAL})(),
    tls: Flags.boolean({description: 'speak TLS to the brokers', helpGroup: GLOBAL, allowNo: true}),
    ca: Flags.string({description: 'file with the certificates to trust', helpGroup: GLOBAL, helpValue: '<file>'}),
    via: Flags.string({description: 'tunnel to the brokers, socks5://H:P or tcp:H:P', helpGroup: GLOBAL, helpValue: '<url>'}),
    'endpoint-url': Flags.string({description: 'address of the MSK API', helpGroup: GLOBAL, helpValue: '<url>'}),
    timeout: durationFlag({description: 'how long to wait, such as 30s', helpGroup: GLOBAL}),
    plain: Flags.boolean({
      description: 'print tab-separated values without a header',
      helpGroup: GLOBAL,
      exclusive: ['json', 'query'],
    }),
    query: Flags.string({description: 'print this JMESPath expression of the JSON', helpGroup: GLOBAL, helpValue: '<jmespath>'}),
    quiet: Flags.boolean({description: 'print no progress and no notes', helpGroup: GLOBAL}),
    debug: Flags.boolean({description: 'print what went wrong in full, without secrets', helpGroup: GLOBAL}),
  }

  protected flags!: FlagsOf<C>
  protected args!: ArgsOf<C>
  private query: ((value: unknown) => unknown) | undefined
  private chosenTarget: Promise<Target> | undefined
  private readonly unregister: (() => void)[] = []

  protected override async init(): Promise<void> {
    await super.init()
    const {args, flags} = await this.parse({
      flags: this.ctor.flags,
      baseFlags: BaseCommand.baseFlags,
      args: notFromStdin(this.ctor.args),
      enableJsonFlag: this.ctor.enableJsonFlag,
      strict: this.ctor.strict,
    })
    this.flags = flags as FlagsOf<C>
    this.args = args as ArgsOf<C>
    if (this.flags.query) this.query = await compileQuery(this.flags.query)
  }

  /** Where this command acts, without asking the network. Throws SkkError (usage) when nothing was chosen. */
  protected target(): Promise<Target> {
    this.chosenTarget ??= resolveTarget(this.flags, this.directories())
    return this.chosenTarget
  }

  /** For calls to AWS that need a region and credentials but no cluster. A single call gets 10 s, however long the command may wait. */
  protected async account(): Promise<Target> {
    const target = await resolveAccount(this.flags, this.directories())
    return {...target, timeoutMs: Math.min(target.timeoutMs, CALL_MS)}
  }

  /** How to reach the brokers; a cluster's name or ARN has become an address. */
  protected async kafka(): Promise<KafkaTarget> {
    const target = await this.target()
    const {arn, bootstrap} = await locate(target)
    const {auth, tls, ca, region, via, timeoutMs} = target
    return {
      bootstrap,
      auth,
      tls,
      ...(ca !== undefined && {ca}),
      ...(region !== undefined && {region}),
      ...(arn !== undefined && {clusterArn: arn}),
      ...(via !== undefined && {via}),
      ...watched(guardToken(target, bootstrap)),
      timeoutMs,
      describe: (this.ownCluster() ? target.context : undefined) ?? target.cluster ?? bootstrap.join(','),
    }
  }

  /** Says on standard error where a change is about to be made. */
  protected async acting(target?: Target): Promise<void> {
    const {context, cluster, bootstrap, region} = target ?? (await this.target())
    const where = [
      context && `context "${context}"`,
      ...(context && this.ownCluster() ? [] : [cluster && `cluster "${cluster}"`, bootstrap]),
      region,
    ].filter(Boolean)
    this.note(`acting on ${where.join(', ')}`)
  }

  /** Whether the cluster is the context's own: no flag replaced it. */
  private ownCluster(): boolean {
    return !this.flags.cluster && !this.flags.bootstrap
  }

  /** Data, for people: nothing under --json. */
  protected table<Row>(rows: readonly Row[], columns: Columns<Row>): void {
    if (this.jsonEnabled() || rows.length === 0) return
    write(`${this.flags.plain ? renderPlain(rows, columns) : renderTable(rows, columns)}\n`)
  }

  /** A line of data on standard output; nothing under --json. */
  override log(message = ''): void {
    if (!this.jsonEnabled()) write(`${message}\n`)
  }

  /** A remark on standard error, also under --json; --quiet silences it. */
  protected note(text: string): void {
    if (this.flags?.quiet) return
    wipeRows()
    process.stderr.write(`${sanitize(asTyped(text))}\n`)
  }

  /** On a terminal, the command that usually comes next. */
  protected next(command: string): void {
    if (process.stderr.isTTY && !this.jsonEnabled()) this.note(`next:  ${asTyped(`\`${command}\``).slice(1, -1)}`)
  }

  /** Something that the user should know although it works; --quiet does not silence it. */
  override warn(input: string | Error): string | Error {
    const text = input instanceof Error ? input.message : input
    wipeRows()
    process.stderr.write(`${colorStderr.yellow('warning:')} ${sanitize(asTyped(text))}\n`)
    return input
  }

  protected progress(): Progress {
    return startProgress({quiet: Boolean(this.flags.quiet)})
  }

  /** What must happen before Ctrl-C, SIGTERM or a closed standard output ends the process; 5 s at most. */
  protected onStop(cleanup: Cleanup): void {
    this.unregister.push(onStop(cleanup))
  }

  /**
   * Asks before something that cannot be taken back or costs money; `--yes` answers. On a protected cluster every name is
   * typed, or given with `--confirm`. Returns when it is agreed; throws SkkError (usage) when it is not, or cannot be asked.
   * `agreed`: another answer has stood for the yes already.
   */
  protected async confirm(
    question: string,
    {names = [], target, agreed = false}: {names?: readonly string[]; target?: Target; agreed?: boolean} = {},
  ): Promise<void> {
    const {yes = false, confirm = []} = this.flags as {yes?: boolean; confirm?: string[]}
    if (names.length > 0 && (await isProtected(target ?? (await this.target()), this.directories())))
      return this.confirmByName(question, names, confirm)
    if (yes || agreed) return
    if (!this.interactive()) {
      throw new SkkError(`"${question}" needs an answer, and there is no terminal to ask on`, {
        code: 'CONFIRMATION_REQUIRED',
        exit: 'usage',
        hint: `Run \`${this.typed(['--yes'])}\` to answer yes.`,
      })
    }
    if (!(await askYesNo(question))) throw cancelled()
  }

  private async confirmByName(question: string, names: readonly string[], confirmed: readonly string[]): Promise<void> {
    const open = names.filter((name) => !confirmed.includes(name))
    if (open.length === 0) return
    if (!this.interactive()) {
      throw new SkkError(`the cluster is protected: ${open.map((name) => `"${name}"`).join(', ')} must be confirmed by name`, {
        code: 'CONFIRMATION_REQUIRED',
        exit: 'usage',
        hint: `Run \`${this.typed(open.flatMap((name) => ['--confirm', name]))}\` if that is what you want.`,
      })
    }
    for (const name of open) {
      if ((await askText(`${question} The cluster is protected; type "${name}" to go on:`)) !== name) throw cancelled()
    }
  }

  /**
   * The answers to what the user left out, by question: picked or typed on a terminal, after which the full command is
   * echoed. Without a terminal throws SkkError (usage) that names everything missing at once, the cluster too, and the line that would do.
   */
  protected async answers<Key extends string>(
    questions: Partial<Record<Key, Question>>,
    {cluster = true} = {},
  ): Promise<Partial<Record<Key, string>>> {
    const open = Object.entries(questions) as [Key, Question][]
    const clusterMissing = cluster ? await this.target().then(() => undefined, missingCluster) : undefined
    if (open.length === 0 && !clusterMissing) return {}
    if (!this.interactive()) throw this.missing(Object.values(questions), clusterMissing)

    if (clusterMissing) await this.chooseContext(clusterMissing)
    const answers: Partial<Record<Key, string>> = {}
    for (const [key, question] of open) answers[key] = await this.ask(question)
    this.note(`$ ${this.typed([])}`)
    return answers
  }

  /** The answer becomes part of the command line, as if it had been typed. */
  private async ask({name, message, choices, example}: Question): Promise<string> {
    const known = (await choices?.()) ?? []
    const answer = known.length > 0 ? await askChoice(message, known) : await askText(message, example)
    this.argv.push(...(name.startsWith('-') ? [name, answer] : [answer]))
    return answer
  }

  private missing(open: readonly Question[], clusterMissing: SkkError | undefined): SkkError {
    if (clusterMissing && open.length === 0) return clusterMissing
    const names = [...open.map(({name}) => name), ...(clusterMissing ? ['a cluster (--context, --cluster or --bootstrap)'] : [])]
    const filled = open.flatMap(({name, example}) => (name.startsWith('-') ? [name, example] : [example]))
    return new SkkError(`missing ${names.join(' and ')}`, {
      code: 'USAGE',
      exit: 'usage',
      hint: `Run \`${this.typed([...filled, ...(clusterMissing ? ['--context', 'local'] : [])])}\`, for example${clusterMissing ? ', after `skk local start`' : ''}.`,
    })
  }

  private async chooseContext(missing: SkkError): Promise<void> {
    const names = await listContextNames(this.config.configDir)
    if (names.length === 0) throw missing
    const context = await askChoice('Which context?', names)
    this.flags = {...this.flags, context}
    this.argv.push('--context', context)
    this.chosenTarget = undefined
  }

  /** Whether a question can be asked: somebody is there, and the output is not for a program. */
  protected interactive(): boolean {
    return canAsk() && !super.jsonEnabled()
  }

  /** This command line as a person types it, with `more` at its end. */
  protected typed(more: readonly string[]): string {
    return ['skk', ...(this.id ?? '').split(':'), ...[...this.argv, ...more].map(shellWord)].join(' ')
  }

  /** Where the local stack lives: `--data-dir`, else the default. */
  protected localDataDir(): string {
    const {'data-dir': given} = this.flags as {'data-dir'?: string}
    return given === undefined ? join(this.config.dataDir, 'local') : resolve(given)
  }

  protected directories(): Surroundings {
    const {configDir, cacheDir, dataDir} = this.config
    return {configDir, cacheDir, dataDir, cwd: process.cwd(), env: process.env}
  }

  /** --query prints JSON too. */
  override jsonEnabled(): boolean {
    return super.jsonEnabled() || this.given('--query')
  }

  private given(flag: string): boolean {
    const end = this.argv.indexOf('--')
    return (end === -1 ? this.argv : this.argv.slice(0, end)).some((word) => word === flag || word.startsWith(`${flag}=`))
  }

  protected override toSuccessJson(result: unknown): unknown {
    return this.query && result !== undefined ? this.query(result) : result
  }

  /** A command that has printed its JSON itself, as streams do, returns undefined. */
  protected override logJson(json: unknown): void {
    if (json === undefined) return
    write(`${sanitizeJson(JSON.stringify(json, null, 2))}\n`)
  }

  protected override async catch(error: Error): Promise<never> {
    await stopFinished()
    const failure = asFailure(error, {command: (this.id ?? '').replaceAll(':', ' '), flags: this.flagNames()})
    const reason = stopReason()
    // What a stopped command fails with is the consequence of the stop, unless it says something for people.
    if (!reason || error instanceof SkkError) this.explain(failure)
    if (reason) process.exit(exitCodeOf[reason])
    process.exitCode = failure.exitCode
    throw failure
  }

  private explain(failure: SkkError): void {
    if (this.given('--debug')) process.stderr.write(`${renderStack(failure)}\n`)
    process.stderr.write(`${super.jsonEnabled() ? renderFailureJson(failure) : renderFailure(failure)}\n`)
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    await stopFinished()
    for (const unregister of this.unregister) unregister()
    await super.finally(error)
  }

  private flagNames(): string[] {
    return ['json', ...Object.keys(BaseCommand.baseFlags), ...Object.keys(this.ctor.flags ?? {})]
  }
}

/** oclif reads a missing argument from a pipe, which would eat the data of `skk produce`. */
const notFromStdin = <Args extends Record<string, object>>(args: Args): Args =>
  Object.fromEntries(Object.entries(args).map(([name, arg]) => [name, {...arg, ignoreStdin: true}])) as Args

const missingCluster = (error: unknown): SkkError => {
  if (error instanceof SkkError && error.code === 'CLUSTER_MISSING') return error
  throw error
}

const cancelled = (): SkkError => new SkkError('cancelled, nothing was changed', {code: 'CANCELLED', exit: 'usage'})

const shellWord = (word: string): string => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`)
