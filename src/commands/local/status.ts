import {BaseCommand, dataDirFlag} from '../../lib/base-command.js'
import {requireRunningStack} from '../../lib/local/control.js'

type Status = {
  running: true
  pid: number
  bootstrap: string
  plaintextBootstrap: string | null
  endpoint: string
  clusterArn: string
  region: string
  apiProfile: string
  dataDir: string
}

export default class LocalStatus extends BaseCommand<typeof LocalStatus> {
  static override description = 'show whether the local stack runs, and where'
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    {description: 'only its address', command: '<%= config.bin %> <%= command.id %> --query bootstrap'},
  ]
  static override flags = {...dataDirFlag}

  async run(): Promise<Status> {
    const stack = await requireRunningStack(this.localDataDir())
    const {pid, bootstrap, plaintextBootstrap = null, endpoint, clusterArn, region, apiProfile, dataDir} = stack
    const status = {running: true, pid, bootstrap, plaintextBootstrap, endpoint, clusterArn, region, apiProfile, dataDir} as const
    this.table(Object.entries(status), {what: ([name]) => name, value: ([, value]) => String(value ?? '-')})
    return status
  }
}
