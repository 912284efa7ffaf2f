-- Write here in the same transaction as the change itself. Two transactions that write one aggregate at once have an order only when
-- one waits for the other: change or lock the aggregate's own row first.
CREATE TABLE IF NOT EXISTS outbox (
  id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  seq bigint GENERATED ALWAYS AS IDENTITY,
  aggregatetype text NOT NULL,
  aggregateid text NOT NULL,
  type text NOT NULL,
  payload jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  published_at timestamptz
);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (seq) WHERE published_at IS NULL;
CREATE INDEX IF NOT EXISTS outbox_published ON outbox (published_at) WHERE published_at IS NOT NULL;

-- What can never be published, with the reason.
CREATE TABLE IF NOT EXISTS outbox_dead (
  id uuid PRIMARY KEY,
  aggregatetype text NOT NULL,
  aggregateid text NOT NULL,
  type text NOT NULL,
  payload jsonb,
  created_at timestamptz NOT NULL,
  reason text NOT NULL,
  died_at timestamptz NOT NULL DEFAULT now()
);

-- What the relay's user needs, and nothing more:
--   GRANT SELECT, UPDATE, DELETE ON outbox TO kafka_relay;
--   GRANT INSERT ON outbox_dead TO kafka_relay;
