import {Flags} from '@oclif/core'

import {listFunctions} from '../../lib/aws/functions.js'
import {functionNameOf} from '../../lib/aws/mapping.js'
import {parseTags} from '../../lib/aws/new-cluster.js'
import type {Question} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import type {MappingDetails} from '../../lib/esm/manifest.js'
import type {Outcome} from '../../lib/esm/outcome.js'
import type {Wanted} from '../../lib/esm/plan.js'
import {isoTime, POSITIONS, settingsFlags, settingsOf} from '../../lib/esm-flags.js'
import {EsmPlanCommand, planFlags} from '../../lib/esm-plan-command.js'
import {type FunctionProject, PROJECT_FILE, readFunctionProject} from '../../lib/functions/project.js'
import {topicQuestion} from '../../lib/kafka/topic-question.js'

export default class EsmAttach extends EsmPlanCommand<typeof EsmAttach> {
  static override description = `attach a Lambda function to a topic and wait until it is enabled

In a directory with a skk.project.json its name, topic and mapping are taken from there; flags win over it`
  static override examples = [
    '<%= config.bin %> <%= command.id %> --function orders --topic orders --retry',
    {description: 'in the directory of a project', command: '<%= config.bin %> <%= command.id %> --retry'},
    {
      description: 'until it was seen consuming, from the newest record on',
      command:
        '<%= config.bin %> <%= command.id %> --function orders --topic orders --starting-position latest --until healthy --retry',
    },
    {
      description: 'one bad record blocks nobody',
      command:
        '<%= config.bin %> <%= command.id %> --function orders --topic orders --max-retries 3 --bisect --on-failure kafka://orders-failed --min-pollers 1',
    },
  ]
  static override flags = {
    function: Flags.string({description: 'name, name:alias or ARN of the function', helpValue: '<name[:alias]>'}),
    topic: Flags.string({description: 'topic to read'}),
    group: Flags.string({description: 'consumer group (default FUNCTION.TOPIC)'}),
    'starting-position': Flags.option({
      options: ['trim-horizon', 'latest', 'at-timestamp'] as const,
      description: 'where to begin when the group has no offsets (default trim-horizon)',
    })(),
    at: Flags.string({description: 'time of at-timestamp', helpValue: '<time>'}),
    ...settingsFlags,
    tag: Flags.string({description: 'tag of the mapping', multiple: true, multipleNonGreedy: true, helpValue: '<key=value>'}),
    disabled: Flags.boolean({description: 'attach it without turning it on'}),
    ...planFlags,
  }

  async run(): Promise<Outcome> {
    const project = await this.project()
    const {function: name = project.name, topic = project.topic} = this.flags
    const answers = await this.answers({
      ...(name === undefined && {function: this.functionQuestion()}),
      ...(topic === undefined && {topic: {...topicQuestion(() => this.kafka()), name: '--topic'}}),
    })
    const account = await this.account()
    const eventSourceArn = await this.clusterArn(account)
    const wanted = this.wanted(name ?? answers.function!, topic ?? answers.topic!, eventSourceArn, project.mapping)
    const [outcome] = await this.carryOut(account, [wanted])
    this.report([outcome!])
    if (!this.flags['dry-run']) this.next(`skk esm describe ${outcome!.uuid}`)
    return outcome!
  }

  /** What the project file here says, unless another function is named. */
  private async project(): Promise<FunctionProject> {
    const project = await readFunctionProject('.')
    const {function: name, topic} = this.flags
    if (name !== undefined && functionNameOf(name).split(':')[0] !== project.name) return {}
    const taken = [
      ...(name === undefined && project.name !== undefined ? [`function "${project.name}"`] : []),
      ...(topic === undefined && project.topic !== undefined ? [`topic "${project.topic}"`] : []),
      ...(project.mapping ? ['settings of the mapping'] : []),
    ]
    if (taken.length > 0) this.note(`from "${PROJECT_FILE}": ${taken.join(', ')}`)
    return project
  }

  private functionQuestion(): Question {
    const choices = async () => {
      const functions = await this.withLambda(await this.account(), ({lambda}) => listFunctions(lambda))
      return functions.map(({name}) => name)
    }
    return {name: '--function', message: 'Which function?', example: 'orders', choices}
  }

  private wanted(name: string, topic: string, eventSourceArn: string, known?: MappingDetails): Wanted {
    const {group = known?.group, disabled, tag = []} = this.flags
    return {
      function: name,
      eventSourceArn,
      topic,
      ...(group !== undefined && {group}),
      ...(this.start() ?? startOf(known)),
      settings: {...known?.settings, ...settingsOf(this.flags), ...(disabled && {enabled: false})},
      tags: {...known?.tags, ...notOurs(parseTags(tag.map(asTag)))},
    }
  }

  private start(): Pick<Wanted, 'startingPosition' | 'startingTime'> | undefined {
    const {at} = this.flags
    const position = this.flags['starting-position'] ?? (at === undefined ? undefined : 'at-timestamp')
    if (position === undefined) return undefined
    return {startingPosition: POSITIONS[position]!, ...(at !== undefined && {startingTime: isoTime(at)})}
  }
}

const startOf = ({startingPosition, startingTime}: MappingDetails | Record<string, never> = {}) => ({
  ...(startingPosition !== undefined && {startingPosition}),
  ...(startingTime !== undefined && {startingTime}),
})

/** `parseTags` names the flag of `clusters create` in its hint. */
function asTag(text: string): string {
  if (text.indexOf('=') > 0) return text
  throw new SkkError(`"${text}" is not a tag`, {
    code: 'USAGE',
    exit: 'usage',
    hint: 'Write it as `--tag key=value`, once for each tag.',
  })
}

function notOurs(tags: Record<string, string>): Record<string, string> {
  const ours = Object.keys(tags).find((key) => key.startsWith('skk:'))
  if (ours === undefined) return tags
  throw new SkkError(`tag "${ours}" is one of skk's own`, {code: 'USAGE', exit: 'usage', hint: 'Choose another key.'})
}
