import {basename, relative, resolve} from 'node:path'

import {Args, Flags} from '@oclif/core'

import {BaseCommand, dryRunFlag} from '../lib/base-command.js'
import {readContexts} from '../lib/contexts/config-file.js'
import {chosenContext, contextNamed} from '../lib/contexts.js'
import {SkkError} from '../lib/errors.js'
import {keyValue} from '../lib/kafka/key-value.js'
import {type Answers, ESMS, IACS, RUNTIMES, rulesOf, settleAnswers} from '../lib/scaffold/answers.js'
import {unifiedDiff} from '../lib/scaffold/diff.js'
import {type Estimate, type Fit, fitOf, NEVER_A_FIT, standingCost} from '../lib/scaffold/estimate.js'
import {PROJECT_FILE, renderProject} from '../lib/scaffold/project.js'
import {type Change, planRevision, revise} from '../lib/scaffold/revise.js'
import {findTemplate, listTemplates, type Template, withParts} from '../lib/scaffold/templates.js'
import {refuseOccupied, writeProject} from '../lib/scaffold/write.js'

type Listed = Pick<Template, 'name' | 'aliases' | 'title' | 'trigger' | 'use' | 'avoid'> & {answers: ReturnType<typeof rulesOf>}
type Made = {template: string; directory: string; answers: Answers; files: string[]; monthlyCost: Estimate; fit: Fit | null}
type Revised = {template: string; directory: string; from: string; to: string; changes: Change[]; written: string[]}

export default class Scaffold extends BaseCommand<typeof Scaffold> {
  static override description = `make a project: a function for one pattern, with its infrastructure, alarms and tests

The project depends on nothing of skk. Its answers are kept in skk.project.json, where dev, functions deploy and esm attach find them. No cluster is needed and no credentials are looked for`

  static override examples = [
    '<%= config.bin %> <%= command.id %> --list',
    '<%= config.bin %> <%= command.id %> pattern-4',
    '<%= config.bin %> <%= command.id %> kafka-to-http ./orders-to-crm --set topic=orders --set endpoint-url=https://crm.example.com/orders',
    {
      description: 'does it fit, and what would it cost',
      command: '<%= config.bin %> <%= command.id %> pattern-4 --dry-run --rate 50 --size 2000 --hours 8',
    },
    {description: 'what a newer skk would change, in a project', command: '<%= config.bin %> <%= command.id %> --diff'},
  ]

  static override args = {
    template: Args.string({description: 'pattern-4, or a name such as kafka-to-http; with --diff and --upgrade the directory'}),
    dir: Args.string({description: 'directory of the project (default ./TEMPLATE)'}),
  }

  static override flags = {
    list: Flags.boolean({description: 'list the templates', exclusive: ['diff', 'upgrade', 'force', 'dry-run']}),
    set: Flags.string({
      description: 'an answer, once for each; --list --json names them',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<key=value>',
    }),
    iac: Flags.option({options: IACS, description: 'infrastructure code (default sam)'})(),
    runtime: Flags.option({options: RUNTIMES, description: 'runtime of the function (default nodejs24.x)'})(),
    esm: Flags.option({
      options: ESMS,
      description: 'the mapping in the infrastructure code, or made after it (default native)',
    })(),
    provisioned: Flags.boolean({
      description: 'provisioned pollers, and the error controls that only they have',
      allowNo: true,
      default: true,
    }),
    rate: Flags.integer({description: 'records a second, for an estimate', min: 1}),
    size: Flags.integer({description: 'bytes of a record, for an estimate (default 1000)', min: 1, dependsOn: ['rate']}),
    hours: Flags.integer({description: 'hours a day with that load (default 24)', min: 1, max: 24, dependsOn: ['rate']}),
    diff: Flags.boolean({description: 'show what this skk would change in a project', exclusive: ['upgrade']}),
    upgrade: Flags.boolean({description: 'change it; what you changed stays yours'}),
    force: Flags.boolean({description: 'write into a directory that is not empty, over what is there'}),
    ...dryRunFlag,
  }

  async run(): Promise<Listed[] | Made | Revised> {
    if (this.flags.list) return this.list()
    if (this.flags.diff || this.flags.upgrade) return this.revise(resolve(this.args.dir ?? this.args.template ?? '.'))

    const word = this.args.template ?? (await this.chooseTemplate())
    const template = await findTemplate(word)
    const directory = resolve(this.args.dir ?? template.name)
    const answers = await this.settled(template, directory, template.presets?.[word])
    const {version} = this.config
    const files = await renderProject(template, answers, version)
    const monthlyCost = standingCost(template, answers)
    const {rate, size = 1000, hours = 24} = this.flags
    const fit = rate === undefined ? null : fitOf(template, answers, {rate, size, hours})

    if (this.flags['dry-run']) await refuseOccupied(directory, this.flags.force)
    else await writeProject(files, directory, {force: this.flags.force})
    this.log(`${this.flags['dry-run'] ? 'would make' : 'made'} "${shown(directory)}" from ${template.name}: ${files.size} files`)
    if (fit) this.showFit(fit)
    this.showNext(directory, answers, withParts(template, answers), monthlyCost)
    return {template: template.name, directory, answers, files: [...files.keys()], monthlyCost, fit}
  }

  private async list(): Promise<Listed[]> {
    const templates = await listTemplates()
    this.table(templates, {
      template: ({name, aliases}) => [name, ...aliases].join(', '),
      trigger: ({trigger}) => trigger,
      'what for': ({use}) => use,
      'when not to': ({avoid}) => avoid,
    })
    return templates.map((template) => {
      const {name, aliases, title, trigger, use, avoid} = template
      return {name, aliases, title, trigger, use, avoid, answers: rulesOf(template)}
    })
  }

  private async chooseTemplate(): Promise<string> {
    const namesOf = ({name, aliases, presets}: Template) => (presets ? aliases : [aliases[0] ?? name])
    const choices = async () => (await listTemplates()).flatMap(namesOf)
    const question = {name: 'TEMPLATE', message: 'Which pattern?', example: 'pattern-4', choices}
    return (await this.answers({template: question}, {cluster: false})).template!
  }

  /** Flags, then `--set`, then the name of the template, then the context, then the template's defaults. */
  private async settled(template: Template, directory: string, preset: Answers = {}): Promise<Answers> {
    const {iac, runtime, esm, provisioned, set = []} = this.flags
    const sets = Object.fromEntries(set.map((text) => keyValue(text, '--set')))
    const flags = {...(iac && {iac}), ...(runtime && {runtime}), ...(esm && {esm}), ...(!provisioned && {provisioned: 'false'})}
    const twice = Object.keys(flags).find((key) => Object.hasOwn(sets, key))
    if (twice !== undefined)
      throw new SkkError(`${twice} is said twice`, {code: 'USAGE', exit: 'usage', hint: `Leave out \`--set ${twice}\`.`})
    return settleAnswers(template, {name: nameOf(directory), ...(await this.fromContext()), ...preset, ...sets, ...flags})
  }

  /** From files alone. A stack on this machine is nothing to deploy to, and a name has no UUID, so that neither answers. */
  private async fromContext(): Promise<Answers> {
    const {cluster, region} = this.flags
    const surroundings = this.directories()
    const chosen = await chosenContext(this.flags, surroundings)
    const context = chosen ? contextNamed(chosen.name, await readContexts(surroundings.configDir), surroundings.configDir) : {}
    if (context.credentials === 'local' && cluster === undefined) return region === undefined ? {} : {region}
    const arn = [cluster ?? context.cluster].find((name) => name?.startsWith('arn:'))
    const where = region ?? arn?.split(':')[3] ?? (cluster === undefined ? context.region : undefined)
    return {...(arn !== undefined && {'cluster-arn': arn}), ...(where !== undefined && {region: where})}
  }

  private async revise(directory: string): Promise<Revised> {
    const {version} = this.config
    const revision = await planRevision(directory, version)
    const {changes, template, from, now, then} = revision
    const changed = changes.filter(({state}) => state !== 'same')
    const result = {template: template.name, directory, from, to: version, changes: changed}
    if (this.flags.diff) {
      for (const {path} of changed.filter(({path}) => path !== PROJECT_FILE))
        this.log(unifiedDiff(path, now.get(path), then.get(path)))
      return {...result, written: []}
    }
    this.table(changed, {file: ({path}) => path, change: ({state}) => state})
    const both = this.flags.force ? [] : changed.filter(({state}) => state === 'both')
    const written = this.flags['dry-run'] ? [] : await revise(directory, revision, {force: this.flags.force})
    this.note(
      `${template.name} ${from} → ${version}: ${this.flags['dry-run'] ? 'would change' : 'changed'} ${changed.length - both.length} files`,
    )
    if (both.length > 0) {
      throw new SkkError(`${both.map(({path}) => `"${path}"`).join(', ')} changed in the template and by you`, {
        code: 'UPGRADE_CONFLICT',
        exit: 'conflict',
        hint: "Run `skk scaffold --diff` to see how, then mend them, or take the template's with `skk scaffold --upgrade --force`.",
      })
    }
    return {...result, written}
  }

  private showFit({fits, reasons, estimate, onDemand}: Fit): void {
    this.table(estimate.items, {'a month': ({what}) => what, usd: ({dollars}) => dollars.toFixed(2)})
    this.log(
      `${dollars(estimate)} a month under that load, ${dollars(onDemand)} without provisioned pollers (prices of ${estimate.asOf}, us-east-1)`,
    )
    this.log(fits ? 'it fits, as far as numbers tell' : `it does not fit: ${reasons.join('; ')}`)
    this.note(`never a fit, whatever the load: ${NEVER_A_FIT}`)
  }

  private showNext(directory: string, answers: Answers, template: Template, cost: Estimate): void {
    const deploy = {
      sam: ['sam deploy --guided'],
      cdk: ['npm --prefix infra ci && npm --prefix infra run deploy'],
      none: ['skk functions deploy --role create'],
    }[answers['iac']!]!
    const attach =
      answers['esm'] === 'post-deploy'
        ? ['skk esm apply --retry -f skk.esm.yaml']
        : answers['iac'] === 'none'
          ? ['skk esm attach --retry']
          : []
    const commands = [
      `cd ${shown(directory)}`,
      'npm ci && npm run build && npm test',
      'npm run local',
      ...deploy,
      ...(template.mapping ? attach : []),
    ]
    this.note(`next:\n${commands.map((command) => `  ${command}`).join('\n')}`)
    this.note(
      `deployed it costs ${dollars(cost)} a month before the first record (prices of ${cost.asOf}, us-east-1), and the cluster`,
    )
  }
}

const dollars = ({dollars}: Estimate): string => `$${dollars.toFixed(2)}`

/** As it would be typed from here. */
const shown = (directory: string): string => relative(process.cwd(), directory) || '.'

/** The directory's name where that is one for a function; otherwise it is asked for with `--set name=…`. */
const nameOf = (directory: string): string =>
  basename(directory)
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, '-')
