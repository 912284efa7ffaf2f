import type {SourceRecord} from './event.js'

/** A compiled pattern of an event-source mapping's filter criteria. */
export type FilterPattern = {readonly pattern: string; matches(value: unknown): boolean}

export declare function compileFilter(pattern: string): FilterPattern

export declare function matches(filters: readonly FilterPattern[], record: SourceRecord): boolean
