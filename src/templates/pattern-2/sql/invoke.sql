-- Aurora PostgreSQL and RDS for PostgreSQL: the database itself calls the function. Its cluster needs a role that may call it
-- (feature "Lambda"), and its network a way to Lambda.
CREATE EXTENSION IF NOT EXISTS aws_lambda CASCADE;

-- The call is made inside the transaction and asks for no answer: a ROLLBACK does not undo it, and two transactions that commit in
-- one order may call in the other. Rows go as text, so that no number loses a digit. An event has 256 KB at most.
CREATE OR REPLACE FUNCTION send_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM aws_lambda.invoke(
    aws_commons.create_lambda_function_arn('{{name}}'),
    json_build_object(
      'op', TG_OP,
      'schema', TG_TABLE_SCHEMA,
      'table', TG_TABLE_NAME,
      'id', gen_random_uuid(),
      'txId', pg_current_xact_id()::text,
      'atMs', floor(extract(epoch FROM clock_timestamp()) * 1000),
      'before', CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD)::text END,
      'after', CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW)::text END
    ),
    'Event'
  );
  RETURN NULL;
END $$;
--   CREATE TRIGGER orders_sent AFTER INSERT OR UPDATE OR DELETE ON orders FOR EACH ROW EXECUTE FUNCTION send_change();
