import {join} from 'node:path'

import {Args, Flags} from '@oclif/core'

import type {Mapping} from '../../lib/aws/mapping.js'
import {BaseCommand, confirmationFlags, dryRunFlag} from '../../lib/base-command.js'
import {SkkError} from '../../lib/errors.js'
import {labelOf} from '../../lib/esm/plan.js'
import {mappingOfGroup} from '../../lib/esm-group.js'
import {withCluster} from '../../lib/kafka/client.js'
import type {Cluster} from '../../lib/kafka/cluster.js'
import {committedOf} from '../../lib/kafka/groups/lag.js'
import {readOffsetsFile, type SavedOffset, writeUndoFile} from '../../lib/kafka/groups/offsets-file.js'
import {groupQuestion} from '../../lib/kafka/groups/question.js'
import {
  commitReset,
  type Goal,
  MOVE_COLUMNS,
  type Move,
  parseGoal,
  planReset,
  type ResetPlan,
} from '../../lib/kafka/groups/reset.js'
import {findGroup, type Group, refuseInUse, requireGroup} from '../../lib/kafka/groups.js'
import {topicQuestion} from '../../lib/kafka/topic-question.js'

type Reset = {
  group: string
  status: 'unchanged' | 'would reset' | 'reset'
  undoFile: string | null
  partitions: Omit<Move, 'outOfRange'>[]
}

export default class GroupsReset extends BaseCommand<typeof GroupsReset> {
  static override description = `set where a consumer group goes on

Shows what is committed now and what would be, and the lag before and after, and asks. --to takes:
  earliest, latest   the first record that is left; after the last one
  1500               an offset
  +100, -100         so many offsets after what is committed, or before it
  2026-11-20T10:00Z  the first record that is at least as late; UTC unless it has a zone
  -15m               the same, a quarter of an hour ago (ms, s, m, h, d)

A group with members is refused (exit 6). The group is never joined. What was committed before is written to a file that
--from-file takes to undo the reset`

  static override examples = [
    {description: 'read everything again', command: '<%= config.bin %> <%= command.id %> billing --topic orders --to earliest'},
    {
      description: 'step over one record of one partition',
      command: '<%= config.bin %> <%= command.id %> billing --topic orders --partition 2 --to +1',
    },
    {
      description: 'what an hour ago would have done, without doing it',
      command: '<%= config.bin %> <%= command.id %> billing --topic orders --to -1h --dry-run',
    },
    {
      description: 'begin where another group is',
      command: '<%= config.bin %> <%= command.id %> billing-v2 --to-group billing',
    },
  ]

  static override args = {group: Args.string({name: 'GROUP', description: 'name of the group'})}

  static override flags = {
    topic: Flags.string({
      description: 'topic to reset, once for each (default with --to-group and --from-file: all that are there)',
      multiple: true,
      multipleNonGreedy: true,
    }),
    partition: Flags.integer({
      description: 'partition to reset, once for each (default all)',
      multiple: true,
      multipleNonGreedy: true,
      min: 0,
    }),
    to: Flags.string({description: 'where to go on', helpValue: '<place>', exclusive: ['to-group', 'from-file']}),
    'to-group': Flags.string({
      description: 'go on where this group is',
      helpValue: '<group>',
      exclusive: ['to', 'from-file'],
    }),
    'from-file': Flags.string({
      description: 'go on at the offsets in this file, as an earlier reset wrote it',
      helpValue: '<file>',
      exclusive: ['to', 'to-group'],
    }),
    'undo-file': Flags.string({
      description: 'file to write the present offsets to (default a new one in the data directory)',
      helpValue: '<file>',
    }),
    ...confirmationFlags,
    confirm: Flags.string({
      description: 'name of the group, on a protected cluster',
      multiple: true,
      multipleNonGreedy: true,
      helpValue: '<name>',
    }),
    ...dryRunFlag,
  }

  async run(): Promise<Reset> {
    const {group, topics, goal} = await this.wanted()
    const kafka = await this.kafka()
    await this.acting()

    return withCluster(kafka, async (cluster) => {
      const found = await findGroup(cluster, group)
      if (found) await this.refuseInUse(found)
      else this.note(`group "${group}" does not exist yet; the reset makes it`)
      const plan = await this.plan(cluster, group, topics, goal)
      const moves = await planReset(cluster, group, plan)
      this.show(moves)

      const changes = moves.filter((move) => move.prior !== move.new)
      const partitions = moves.map(({outOfRange, ...move}) => move)
      if (changes.length === 0) {
        this.note(`group "${group}" is there already, nothing to do`)
        return {group, status: 'unchanged', undoFile: null, partitions}
      }
      if (this.flags['dry-run']) return {group, status: 'would reset', undoFile: null, partitions}

      const count = `${changes.length} ${changes.length === 1 ? 'partition' : 'partitions'}`
      await this.confirm(`Reset ${count} of group "${group}"?`, {names: [group]})
      const undoFile = await this.saveUndo(group, kafka.clusterArn ?? kafka.describe, changes)
      await commitReset(cluster, group, changes, kafka)
      this.note(`reset ${count} of group "${group}"`)
      if (found) this.note(`Undo it with \`skk groups reset ${group} --from-file ${undoFile}\`.`)
      else this.note(`Undo it with \`skk groups delete ${group}\`.`)
      return {group, status: 'reset', undoFile, partitions}
    })
  }

  /** Throws SkkError (conflict) when somebody is in the group; a mapping has a verb of its own for that. */
  private async refuseInUse(group: Group): Promise<void> {
    try {
      refuseInUse(group)
    } catch (error) {
      const mapping = error instanceof SkkError ? await mappingOfGroup(await this.account(), group.name) : undefined
      throw mapping ? mappingInUse(error as SkkError, mapping) : error
    }
  }

  /** What was asked for, the rest picked or asked. */
  private async wanted(): Promise<{group: string; topics: readonly string[] | null; goal: Goal | null}> {
    const {topic, to} = this.flags
    const given = to === undefined ? null : parseGoal(to)
    const needsGoal = this.flags['to-group'] === undefined && this.flags['from-file'] === undefined
    const answers = await this.answers({
      ...(this.args.group === undefined && {group: groupQuestion(() => this.kafka())}),
      ...(needsGoal && topic === undefined && {topic: {...topicQuestion(() => this.kafka()), name: '--topic'}}),
      ...(needsGoal && to === undefined && {to: {name: '--to', message: 'Where to?', example: 'earliest'}}),
    })
    const topics = topic ?? (answers.topic === undefined ? null : [answers.topic])
    return {
      group: this.args.group ?? answers.group!,
      topics: topics && [...new Set(topics)],
      goal: answers.to === undefined ? given : parseGoal(answers.to),
    }
  }

  private async plan(cluster: Cluster, group: string, topics: readonly string[] | null, goal: Goal | null): Promise<ResetPlan> {
    const {partition: partitions = null} = this.flags
    if (goal) return {goal, topics: topics!, partitions}
    const all = this.flags['from-file'] === undefined ? await this.offsetsOf(cluster) : await this.fileOffsets(group)
    const offsets = all
      .filter(({topic}) => topics?.includes(topic) ?? true)
      .filter(({partition}) => partitions?.includes(partition) ?? true)
    if (offsets.length > 0)
      return {goal: {kind: 'saved', offsets}, topics: [...new Set(offsets.map(({topic}) => topic))], partitions}
    throw new SkkError('there are no offsets to go to', {
      code: 'OFFSET_NOT_COMMITTED',
      exit: 'notFound',
      hint: 'Look at what is there with `skk groups describe GROUP`, or give `--to`.',
    })
  }

  private async offsetsOf(cluster: Cluster): Promise<SavedOffset[]> {
    const {name} = await requireGroup(cluster, this.flags['to-group']!)
    return committedOf(cluster, name)
  }

  private async fileOffsets(group: string): Promise<SavedOffset[]> {
    const path = this.flags['from-file']!
    const file = await readOffsetsFile(path)
    if (file.group !== null && file.group !== group) this.warn(`"${path}" has the offsets of group "${file.group}"`)
    return file.offsets
  }

  private show(moves: readonly Move[]): void {
    this.table(moves, MOVE_COLUMNS)
    for (const {topic, partition, outOfRange, new: next} of moves) {
      if (outOfRange === null) continue
      this.warn(`topic "${topic}", partition ${partition}, does not reach to ${outOfRange}; ${next} is the nearest`)
    }
  }

  /** Before anything is changed, so that a reset that was cut off can be undone too. */
  private async saveUndo(group: string, cluster: string, moves: readonly Move[]): Promise<string> {
    const directory = join(this.config.dataDir, 'undo')
    const path = await writeUndoFile({group, cluster, moves}, directory, this.flags['undo-file'])
    this.note(`what was committed is in "${path}"`)
    return path
  }
}

const mappingInUse = (inUse: SkkError, {uuid, ...mapping}: Mapping): SkkError =>
  new SkkError(inUse.message, {
    code: inUse.code,
    exit: 'conflict',
    hint: `It is the group of mapping "${labelOf(mapping)}"; go past records with \`skk esm skip ${uuid}\`, or stop it with \`skk esm pause ${uuid}\` and reset then.`,
    cause: inUse,
  })
