import {basename, resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'

import {type FunctionSettings, getFunction, type LambdaFunction} from '../../lib/aws/functions.js'
import type {Lambda} from '../../lib/aws/lambda.js'
import {findCluster} from '../../lib/aws/msk.js'
import {ensureRole, roleName} from '../../lib/aws/role.js'
import {dryRunFlag, durationFlag, type Question} from '../../lib/base-command.js'
import type {Target} from '../../lib/contexts.js'
import {parseDuration} from '../../lib/duration.js'
import {SkkError} from '../../lib/errors.js'
import {type DeployPlan, deploy, planDeploy, type Wanted} from '../../lib/functions/deploy.js'
import {packageFunction} from '../../lib/functions/package.js'
import {type FunctionProject, readFunctionProject} from '../../lib/functions/project.js'
import {FunctionsCommand} from '../../lib/functions-command.js'
import {keyValue} from '../../lib/kafka/key-value.js'

type Deployed = Pick<DeployPlan, 'change' | 'settings'> & {
  name: string
  code: {changed: boolean; bytes: number; sha256: string; files: number | null; bundled: boolean}
  /** Null with --dry-run. */
  function: LambdaFunction | null
}

/** Nobody checks it in `skk local`, whose functions run with made-up keys. */
const LOCAL_ROLE = 'arn:aws:iam::123456789012:role/skk-local'
const WAIT_MS = 5 * 60_000
const RUNTIMES = ['nodejs22.x', 'nodejs24.x', 'nodejs26.x'] as const

export default class FunctionsDeploy extends FunctionsCommand<typeof FunctionsDeploy> {
  static override description = `make a directory or a zip a Lambda function, or update it

A directory is bundled with its own esbuild, if it has one, and zipped so that the same files give the same bytes. What is not said stays as it is. With a cluster the function gets SKK_BROKERS and SKK_AUTH in its environment`

  static override examples = [
    '<%= config.bin %> <%= command.id %> . --name orders',
    {
      description: 'settings of a new function on AWS',
      command:
        '<%= config.bin %> <%= command.id %> ./orders --role arn:aws:iam::123456789012:role/orders --memory 512 --function-timeout 30s --env LOG_LEVEL=debug',
    },
  ]

  static override args = {path: Args.string({name: 'DIR|ZIP', description: 'directory or archive (default .)', default: '.'})}

  static override flags = {
    name: Flags.string({description: 'name of the function (default the name in skk.project.json)'}),
    handler: Flags.string({description: 'path without its extension, and export', helpValue: '<src/handler.handler>'}),
    runtime: Flags.option({options: RUNTIMES, description: 'runtime (nodejs24.x for a new function)'})(),
    memory: Flags.integer({description: 'MB of memory (1024 for a new function)', min: 128, max: 10_240, helpValue: '<mb>'}),
    'function-timeout': durationFlag({description: 'how long it may run, whole seconds (60s for a new function)'}),
    env: Flags.string({
      description: 'variable of its environment, once for each; the others stay',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<name=value>',
    }),
    role: Flags.string({
      description: 'ARN of its role, or create for one of its own with the least it needs; a new function on AWS needs one',
      helpValue: '<arn|create>',
    }),
    topic: Flags.string({
      description: 'topic that a mapping of it reads, once for each, for --role create (default the topic in skk.project.json)',
      multiple: true,
      multipleNonGreedy: true,
      dependsOn: ['role'],
    }),
    ...dryRunFlag,
  }

  async run(): Promise<Deployed> {
    const path = resolve(this.args.path)
    const project: FunctionProject = path.endsWith('.zip') ? {} : await readFunctionProject(path)
    const account = await this.account()
    const name = await this.nameOf(project, path)
    const code = await packageFunction(path, this.flags.handler ?? project.handler)
    return this.withLambda(account, async (lambda) => {
      await this.acting(account)
      const defaults = this.isLocal(lambda) ? {role: LOCAL_ROLE} : {}
      const settings: FunctionSettings = {
        ...(await this.settings(project, account)),
        ...(code.handler !== undefined && {handler: code.handler}),
      }
      if (project.vpc && !this.isLocal(lambda)) settings.vpc = await this.vpc(account)
      if (settings.role === 'create') settings.role = await this.role(lambda, name, account, project)
      const wanted: Wanted = {name, package: code, settings}
      const plan = await planDeploy(lambda, wanted, defaults)
      const made = this.flags['dry-run']
        ? null
        : await this.carryOut(plan, () => deploy(lambda, wanted, plan, this.waiting(lambda)))
      this.say(name, plan, code.zip.length)
      if (made) this.next(`skk functions invoke ${name}`)
      const {change, settings: changed} = plan
      const {zip, sha256, files, bundled} = code
      const codeFacts = {changed: plan.code, bytes: zip.length, sha256, files: files ?? null, bundled}
      return {name, change, settings: changed, code: codeFacts, function: made}
    })
  }

  private async carryOut<T>({change}: DeployPlan, work: () => Promise<T>): Promise<T> {
    const progress = this.progress()
    progress.update(change === 'create' ? 'creating the function' : 'waiting for the function')
    try {
      return await work()
    } finally {
      progress.stop()
    }
  }

  /** ARN of the function's own role, which is there when this returns, unless --dry-run. */
  private async role(lambda: Lambda, name: string, account: Target, project: FunctionProject): Promise<string> {
    const {topic: topics = project.topic === undefined ? [] : [project.topic], 'dry-run': dry} = this.flags
    if (this.isLocal(lambda)) return LOCAL_ROLE
    const current = dry ? (await getFunction(lambda, name))?.found.role : undefined
    if (dry) return current?.endsWith(`/${roleName(name)}`) ? current : `role/${roleName(name)}`
    const clusterArn = topics.length > 0 ? (await this.kafka()).clusterArn : undefined
    if (topics.length > 0 && clusterArn === undefined) throw needsCluster('a role that reads topics')
    const role = await ensureRole(account, {
      functionName: name,
      clusterArn,
      topics,
      ...(project.mapping?.group !== undefined && {groups: [project.mapping.group]}),
      vpc: project.vpc ?? false,
    })
    this.note(`role "${role}"`)
    return role
  }

  /** The network of the chosen cluster, where its brokers can be reached. */
  private async vpc(account: Target): Promise<NonNullable<FunctionSettings['vpc']>> {
    if (account.cluster === undefined) throw needsCluster('a function in the VPC of its cluster')
    const [vpc] = (await findCluster(account, account.cluster)).vpcConfigs ?? []
    if (vpc) return {subnets: [...vpc.subnets].sort(), securityGroups: [...vpc.securityGroups].sort()}
    throw new SkkError(`cluster "${account.cluster}" tells no subnets`, {code: 'NO_SUBNETS', exit: 'notFound'})
  }

  private waiting(lambda: Lambda) {
    return {deadline: performance.now() + (this.flags.timeout ?? WAIT_MS), tickMs: this.isLocal(lambda) ? 50 : 1000}
  }

  private async nameOf(project: FunctionProject, path: string): Promise<string> {
    const known = this.flags.name ?? project.name
    if (known !== undefined) return known
    const example =
      basename(path)
        .replace(/\.zip$/, '')
        .replaceAll(/[^\w-]/g, '-') || 'orders'
    const question: Question = {name: '--name', message: 'What is the function called?', example}
    return (await this.answers({name: question}, {cluster: false})).name!
  }

  private async settings(project: FunctionProject, account: Target): Promise<FunctionSettings> {
    const {runtime = project.runtime, memory = project.memory, role = project.role} = this.flags
    const timeoutMs =
      this.flags['function-timeout'] ?? (project.timeout === undefined ? undefined : parseDuration(project.timeout))
    if (timeoutMs !== undefined && (timeoutMs % 1000 !== 0 || timeoutMs < 1000 || timeoutMs > 900_000)) {
      throw new SkkError('the timeout of a function is a whole number of seconds from 1s to 15m', {
        code: 'USAGE',
        exit: 'usage',
        hint: 'Write `--function-timeout 60s`.',
      })
    }
    const given = Object.fromEntries((this.flags.env ?? []).map((text) => keyValue(text, '--env')))
    const environment = {...(await this.cluster(account)), ...project.environment, ...given}
    return {
      ...(runtime !== undefined && {runtime}),
      ...(memory !== undefined && {memoryMb: memory}),
      ...(timeoutMs !== undefined && {timeoutSeconds: timeoutMs / 1000}),
      ...(role !== undefined && {role}),
      ...(Object.keys(environment).length > 0 && {environment}),
    }
  }

  /** What a function needs to reach the cluster that was chosen; nothing when none was. */
  private async cluster({cluster, bootstrap}: Target): Promise<Record<string, string>> {
    if (cluster === undefined && bootstrap === undefined) return {}
    const kafka = await this.kafka()
    return {SKK_BROKERS: kafka.bootstrap.join(','), SKK_AUTH: kafka.auth}
  }

  private say(name: string, {change, code, settings}: DeployPlan, bytes: number): void {
    const verb = this.flags['dry-run'] ? `would ${change}` : `${change}d`
    const what = [...(code ? [`${(bytes / 1024).toFixed(1)} KiB of code`] : []), ...settings]
    this.log(change === 'none' ? `function "${name}" is as wanted` : `${verb} function "${name}" (${what.join(', ')})`)
  }
}

const needsCluster = (what: string): SkkError =>
  new SkkError(`${what} needs the name or ARN of an MSK cluster`, {
    code: 'CLUSTER_MISSING',
    exit: 'usage',
    hint: 'Pass `--cluster`, or a context that names one with `--context`.',
  })
