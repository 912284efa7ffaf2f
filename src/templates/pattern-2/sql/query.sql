-- Up to which time each table was published.
CREATE TABLE IF NOT EXISTS _skk_watermarks (source text PRIMARY KEY, watermark timestamptz NOT NULL);

-- Versions of rows that were too large for their topic.
CREATE TABLE IF NOT EXISTS _skk_dead (
  source text NOT NULL,
  key text NOT NULL,
  at timestamptz NOT NULL,
  reason text NOT NULL,
  PRIMARY KEY (source, key, at)
);

-- Your table needs a time that every change sets, and an index on it:
--   ALTER TABLE orders ADD COLUMN updated_at timestamptz NOT NULL DEFAULT now();
--   CREATE INDEX ON orders (updated_at, id);
CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.updated_at := clock_timestamp();
  RETURN NEW;
END $$;
--   CREATE TRIGGER orders_updated BEFORE INSERT OR UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION set_updated_at();

-- What the relay's user needs, and nothing more:
--   GRANT SELECT ON orders TO kafka_relay;
--   GRANT SELECT, INSERT, UPDATE ON _skk_watermarks TO kafka_relay;
--   GRANT SELECT, INSERT ON _skk_dead TO kafka_relay;
