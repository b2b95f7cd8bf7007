-- These sessions, found one by one: OFFSET 0 keeps the planner from reading the whole hub instead.
CREATE OR REPLACE FUNCTION hub_sessions_these(p_hub bigint, p_keys uuid[])
RETURNS SETOF hub_sessions_session LANGUAGE sql STABLE AS $$
    SELECT s.* FROM unnest(p_keys) AS k (key) CROSS JOIN LATERAL (
        SELECT * FROM hub_sessions_session f WHERE f.hub_id = p_hub AND f.key = k.key OFFSET 0
    ) s
$$;

-- The end of a session: the earliest evidence of it, never before ready.
CREATE OR REPLACE FUNCTION hub_sessions_end(
    ready_at timestamptz, stopped_at timestamptz, superseded_at timestamptz, absent_at timestamptz)
RETURNS TABLE (ended_at timestamptz, end_source text) LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN first.evidence IS NOT NULL THEN greatest(ready_at, first.evidence) END,
        CASE first.evidence
            WHEN stopped_at THEN 'stop'
            WHEN superseded_at THEN 'superseded'
            WHEN absent_at THEN 'snapshot'
            ELSE '' END
    FROM (SELECT least(stopped_at, superseded_at, absent_at)) AS first (evidence)
$$;
