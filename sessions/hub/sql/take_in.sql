-- One writer at a time for each hub. Everything that changes records from evidence takes this lock
-- first, so that every statement after it sees what the others wrote.
CREATE OR REPLACE FUNCTION hub_sessions_lock(p_hub bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('hub_sessions_lock'), p_hub::int);
END $$;

-- What given events are beside those that are stored: of the same content, and new (p_stored: what
-- was stored just now; the first of several with one id).
CREATE OR REPLACE FUNCTION hub_sessions_compare(p_hub bigint, p_events json, p_stored bigint[])
RETURNS TABLE (i int, same boolean, new boolean) LANGUAGE sql STABLE AS $$
    SELECT g.i, e.digest = sha256(convert_to(g.raw, 'UTF8')),
        coalesce(e.id = ANY (p_stored), false) AND g.i = min(g.i) OVER (PARTITION BY g.id)
    FROM json_to_recordset(p_events) AS g (i int, id text, raw text)
    CROSS JOIN LATERAL (
        SELECT h.id, h.digest FROM hub_sessions_hubevent h
        WHERE h.hub_id = p_hub AND h.event_id = g.id OFFSET 0
    ) e
$$;

-- Store well-formed events and bring everything up to date that follows from them.
-- p_events: [{i, id, epoch, seq, type, time (seconds), user, server, session, data, raw,
-- sessions, seats}]; p_bad: [{id, code, detail, raw}] or null. Answers with the `i` of those that were
-- known already and of those that were known with other content.
CREATE OR REPLACE FUNCTION hub_sessions_take_in(
    p_hub bigint, p_at timestamptz, p_events json, p_bad json,
    OUT duplicates int[], OUT conflicts int[]
) LANGUAGE plpgsql
-- Planning these statements takes ten times as long as running them, so they are planned once, maybe
-- while the tables are still empty: the plans have to be right for large ones all the same.
SET plan_cache_mode = force_generic_plan SET jit = off SET enable_seqscan = off
AS $$
DECLARE
    stored bigint[];
    touched uuid[];
    with_parts boolean;
    size int;
    snapshots bigint[];
    snapshot bigint;
BEGIN
    PERFORM hub_sessions_lock(p_hub);
    IF p_bad IS NOT NULL THEN
        PERFORM hub_sessions_quarantine(p_hub, p_at, p_bad);
    END IF;

    WITH given AS MATERIALIZED (
        SELECT g.*, convert_to(g.raw, 'UTF8') AS bytes
        FROM json_to_recordset(p_events) AS g (
            i int, id text, epoch text, seq int, type text, "time" bigint, "user" text, server text,
            session uuid, data jsonb, raw text)
    ), written AS (
        INSERT INTO hub_sessions_hubevent (
            hub_id, event_id, epoch, seq, type, time, user_name, server, session, data, raw, digest,
            received_at)
        SELECT DISTINCT ON (id) p_hub, id, epoch, seq, type, to_timestamp(time), "user", server,
            session, data, bytes, sha256(bytes), p_at
        FROM given ORDER BY id, i
        ON CONFLICT (hub_id, event_id) DO NOTHING
        RETURNING id, session, type
    )
    SELECT array_agg(w.id), array_agg(DISTINCT w.session) FILTER (WHERE w.session IS NOT NULL),
        bool_or(w.type = 'hub.snapshot'), (SELECT count(*) FROM given)
    INTO stored, touched, with_parts, size FROM written w;

    IF coalesce(cardinality(stored), 0) < size THEN
        SELECT array_agg(c.i) FILTER (WHERE c.same AND NOT c.new),
            array_agg(c.i) FILTER (WHERE NOT c.same)
        INTO duplicates, conflicts
        FROM hub_sessions_compare(p_hub, p_events, stored) c;
    END IF;
    IF conflicts IS NOT NULL THEN
        PERFORM hub_sessions_report_conflicts(p_hub, p_at, p_events, conflicts);
    END IF;
    IF stored IS NULL THEN
        RETURN;
    END IF;
    PERFORM hub_sessions_report_reuse(p_hub, p_at, stored);
    PERFORM hub_sessions_report_new_outbox(p_hub, p_at, stored);
    IF with_parts THEN
        SELECT changed, newcomer INTO snapshots, snapshot
        FROM hub_sessions_add_parts(p_hub, p_events, stored);
    END IF;
    PERFORM hub_sessions_follow(p_hub, p_at, touched, snapshots, snapshot);
    IF snapshots IS NOT NULL THEN
        PERFORM hub_sessions_report_empty(p_hub, p_at);
    END IF;
END $$;
