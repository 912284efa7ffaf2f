/** The codecs of Kafka's record batches. */
export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
