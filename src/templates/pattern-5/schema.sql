-- How far each partition was written, changed in the same transaction as the table: what comes again is skipped.
CREATE TABLE IF NOT EXISTS _skk_offsets (
  topic text NOT NULL,
  "partition" int NOT NULL,
  next_offset bigint NOT NULL,
  PRIMARY KEY (topic, "partition")
);

-- The table itself is yours. Its primary key must be the columns of PK_FIELDS, such as
--   CREATE TABLE orders (id text PRIMARY KEY, customer text, total numeric);

-- What the function's user needs, and nothing more (DELETE only with DELETE_ENABLED):
--   GRANT SELECT, INSERT, UPDATE ON _skk_offsets TO kafka_writer;
--   GRANT SELECT, INSERT, UPDATE, DELETE ON orders TO kafka_writer;
