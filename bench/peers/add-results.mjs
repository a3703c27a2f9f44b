// The write of W6 as one SQL statement: inserts findings, skips known fingerprints, counts the new ones on the execution.

/** $1 the execution's id, $2 the findings as JSON; gives `added` and `duplicates`. */
export const addResults = `
  WITH inserted AS (
    INSERT INTO test_results (id, execution_id, title, description, severity, rule_id, cwe_ids, cve_ids, cvss_vector,
      location, evidence, remediation, "references", tags, fingerprint, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
        || substr(replace(gen_random_uuid()::text, '-', ''), 13))::uuid,
      $1::uuid, title, description, array_position(ARRAY['INFO', 'LOW', 'MEDIUM', 'HIGH', 'CRITICAL'], severity) - 1,
      "ruleId", coalesce("cweIds", '{}'), coalesce("cveIds", '{}'), "cvssVector", location, evidence, remediation,
      coalesce("references", '{}'), coalesce(tags, '{}'), fingerprint, now()
    FROM json_to_recordset($2::json) AS r(title text, description text, severity text, "ruleId" text, "cweIds" int[],
      "cveIds" text[], "cvssVector" text, location jsonb, evidence text, remediation text, "references" text[],
      tags text[], fingerprint text)
    ON CONFLICT (execution_id, fingerprint) DO NOTHING RETURNING severity
  ), counts AS (
    SELECT count(*)::int AS total, count(*) FILTER (WHERE severity = 0) AS info,
      count(*) FILTER (WHERE severity = 1) AS low, count(*) FILTER (WHERE severity = 2) AS medium,
      count(*) FILTER (WHERE severity = 3) AS high, count(*) FILTER (WHERE severity = 4) AS critical
    FROM inserted
  ), counted AS (
    UPDATE test_executions e SET info_count = info_count + c.info, low_count = low_count + c.low,
      medium_count = medium_count + c.medium, high_count = high_count + c.high,
      critical_count = critical_count + c.critical
    FROM counts c WHERE e.id = $1::uuid
  )
  SELECT total AS added, json_array_length($2::json) - total AS duplicates FROM counts`;
