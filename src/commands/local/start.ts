import {Flags} from '@oclif/core'

import {BaseCommand, dataDirFlag, durationFlag} from '../../lib/base-command.js'
import {saveContext} from '../../lib/contexts.js'
import {SkkError} from '../../lib/errors.js'
import {runningStack, stackWithin} from '../../lib/local/control.js'
import {isBackground, reportFailure, reportReady, startInBackground} from '../../lib/local/daemon.js'
import type {Stack} from '../../lib/local/data-dir.js'

type Started = Pick<Stack, 'bootstrap' | 'endpoint' | 'clusterArn' | 'dataDir' | 'pid'> & {plaintextBootstrap: string | null}

/** How long a start that came a moment earlier may take until it answers. */
const OTHER_START_MS = 15_000

const port = (description: string) => Flags.integer({description, min: 0, max: 65_535, helpValue: '<port>'})

export default class LocalStart extends BaseCommand<typeof LocalStart> {
  static override description = 'start MSK Serverless on this machine'

  static override examples = [
    {description: 'start it in the background', command: '<%= config.bin %> <%= command.id %>'},
    {
      description: 'three nodes, TLS, and only the access keys of a file',
      command: '<%= config.bin %> <%= command.id %> --brokers 3 --tls --iam team.json',
    },
  ]

  static override flags = {
    foreground: Flags.boolean({description: 'stay in this terminal until Ctrl-C'}),
    port: port('port of the brokers with IAM, 9098 if it is free; 0 picks one'),
    'plaintext-port': port('port of the brokers without login, 9092 if it is free; 0 picks one'),
    'no-plaintext': Flags.boolean({description: 'no port without login', exclusive: ['plaintext-port']}),
    'http-port': port('port of the MSK and Lambda APIs, 9911 if it is free; 0 picks one'),
    brokers: Flags.integer({description: 'number of nodes, each on a port of its own', default: 1, min: 1, max: 30}),
    ...dataDirFlag,
    'account-id': Flags.string({description: 'AWS account of the ARNs', default: '123456789012'}),
    'api-profile': Flags.option({
      options: ['msk-serverless', 'msk-2022', 'wide'] as const,
      description: 'which APIs and rules the clusters have',
      default: 'msk-serverless',
    })(),
    iam: Flags.string({description: 'JSON file with the only access keys and policies that exist', helpValue: '<file>'}),
    fsync: Flags.boolean({description: 'write to the disk itself before acknowledging'}),
    'create-delay': durationFlag({description: 'how long a cluster, a function or a mapping is being created', default: 500}),
    'lambda-rate': Flags.integer({
      description: "requests a second that Lambda's control plane takes, as an account's does",
      default: 15,
      min: 1,
      max: 100_000,
    }),
  }

  async run(): Promise<Started | undefined> {
    const dataDir = this.localDataDir()
    // The one that another start made in the meantime is found by the lock, and told to the parent.
    const running = isBackground() ? undefined : await runningStack(dataDir)
    if (running) return this.alreadyRunning(running)
    if (this.flags.foreground) return this.foreground(dataDir)
    const args = ['local', 'start', '--foreground', ...this.argv]
    try {
      const {stack, warnings} = await startInBackground(process.argv[1]!, args, dataDir)
      for (const warning of warnings) this.warn(warning)
      return this.present(stack, this.movedPorts(stack))
    } catch (error) {
      const isInUse = error instanceof SkkError && error.code === 'DATA_DIR_IN_USE'
      const other = isInUse ? await stackWithin(dataDir, OTHER_START_MS) : undefined
      if (other) return this.alreadyRunning(other)
      throw error
    }
  }

  private alreadyRunning(stack: Stack): Promise<Started> {
    this.note(`the stack is already running with pid ${stack.pid}`)
    return this.present(stack)
  }

  /** Its result is printed when the stack answers, not when it ends. */
  private async foreground(dataDir: string): Promise<undefined> {
    try {
      const {startLocal} = await import('../../lib/local/index.js')
      const local = await startLocal(this.options(dataDir))
      this.onStop(() => local.stop())
      for (const warning of local.warnings) this.warn(warning)
      if (isBackground()) await reportReady(local.warnings)
      else {
        const started = await this.present(local, this.movedPorts(local))
        if (this.jsonEnabled()) this.logJson(started)
      }
      await local.stopRequested
      await local.stop()
      return undefined
    } catch (error) {
      if (error instanceof SkkError) await reportFailure(error)
      throw error
    }
  }

  private options(dataDir: string) {
    const {flags} = this
    const {region, 'plaintext-port': plaintextPort} = flags
    const wanted = (given: number | undefined, usual: number) => ({wanted: given ?? usual, mayMove: given === undefined})
    const hasPlaintext = plaintextPort !== undefined || !(flags['no-plaintext'] || flags.iam)
    return {
      dataDir,
      region: region ?? process.env['AWS_REGION'] ?? process.env['AWS_DEFAULT_REGION'] ?? 'us-east-1',
      accountId: flags['account-id'],
      port: wanted(flags.port, 9098),
      plaintextPort: hasPlaintext ? wanted(plaintextPort, 9092) : undefined,
      httpPort: wanted(flags['http-port'], 9911),
      brokers: flags.brokers,
      tls: flags.tls ?? false,
      apiProfile: flags['api-profile'],
      iamFile: flags.iam,
      fsync: flags.fsync,
      createDelayMs: flags['create-delay'],
      lambdaRate: flags['lambda-rate'],
      log: (line: string) => process.stderr.write(`${new Date().toISOString()} ${line}\n`),
    }
  }

  /** Makes the context `local` and says what to use. Under --json the result is the one line on standard output. */
  private async present(stack: Stack, moved: readonly string[] = []): Promise<Started> {
    const isDefaultDir = this.flags['data-dir'] === undefined
    const name = 'local'
    const {current} = await saveContext(this.config.configDir, name, {
      credentials: 'local',
      ...(!isDefaultDir && {dataDir: stack.dataDir}),
    })
    this.log(`IAM        ${stack.bootstrap}   access key "${stack.accessKeyId}"`)
    if (stack.plaintextBootstrap) this.log(`plaintext  ${stack.plaintextBootstrap}`)
    this.log(`MSK API    ${stack.endpoint}`)
    this.log(`cluster    ${stack.clusterArn}`)
    if (stack.ca) this.log(`CA         ${stack.ca}`)
    for (const text of moved) this.note(text)
    if (current !== name)
      this.note(`the current context stays "${current}"; use the stack with \`--context local\` or \`skk contexts use local\``)
    this.next('skk topics create orders')
    return summary(stack)
  }

  /** A default port that was taken has been replaced, and that is said. */
  private movedPorts({bootstrap, plaintextBootstrap, endpoint}: Stack): string[] {
    const {flags} = this
    const used = [
      {given: flags.port, usual: 9098, address: bootstrap, what: 'the brokers with IAM'},
      {given: flags['plaintext-port'], usual: 9092, address: plaintextBootstrap, what: 'the brokers without login'},
      {given: flags['http-port'], usual: 9911, address: endpoint, what: 'the MSK and Lambda APIs'},
    ]
    return used.flatMap(({given, usual, address, what}) => {
      const port = Number(address?.split(',')[0]?.split(':').at(-1))
      return given === undefined && address && port !== usual ? [`port ${usual} was taken, ${what} listen on ${port}`] : []
    })
  }
}

const summary = ({bootstrap, plaintextBootstrap, endpoint, clusterArn, dataDir, pid}: Stack): Started => {
  return {bootstrap, plaintextBootstrap: plaintextBootstrap ?? null, endpoint, clusterArn, dataDir, pid}
}
