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

-- The same, told apart by who said it: 'rest' where only the hub's answers to the portal are of the
-- moment when it was found gone, 'pod' where what stopped it is what its pod showed.
CREATE OR REPLACE FUNCTION hub_sessions_sourced_end(
    p_hub bigint, p_ready_at timestamptz, p_stopped_at timestamptz, p_superseded_at timestamptz,
    p_absent_at timestamptz, p_stop_source text)
RETURNS TABLE (ended_at timestamptz, end_source text) LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    SELECT e.ended_at, CASE
        WHEN e.end_source = 'snapshot' AND NOT EXISTS (
            SELECT FROM hub_sessions_snapshot s
            WHERE s.hub_id = p_hub AND s.time = p_absent_at AND s.is_complete AND NOT s.was_asked)
        THEN 'rest'
        WHEN e.end_source = 'stop' AND p_stop_source = 'pod' THEN 'pod'
        ELSE e.end_source END
    FROM hub_sessions_end(p_ready_at, p_stopped_at, p_superseded_at, p_absent_at) e;
END $$;

-- What is known of somebody's institution now, as sessions keep it.
CREATE OR REPLACE FUNCTION hub_sessions_affiliation(p_user bigint)
RETURNS jsonb LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT jsonb_build_object(
            'value', a.value, 'organisation', a.organisation, 'issuer', a.issuer,
            'last_seen_at', to_char(a.last_seen_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'))
        FROM accounts_affiliation a WHERE a.user_id = p_user
        ORDER BY a.last_seen_at DESC, a.id LIMIT 1);
END $$;
