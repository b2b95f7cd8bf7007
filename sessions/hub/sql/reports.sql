-- Keep rejected events once.
CREATE OR REPLACE FUNCTION hub_sessions_quarantine(p_hub bigint, p_at timestamptz, p_bad json)
RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hub_sessions_quarantinedevent (
        hub_id, digest, event_id, code, detail, raw, received_at)
    SELECT p_hub, sha256(convert_to(b.raw, 'UTF8')), b.id, b.code, b.detail,
        convert_to(b.raw, 'UTF8'), p_at
    FROM json_to_recordset(p_bad) AS b (id text, code text, detail text, raw text)
    ON CONFLICT (hub_id, digest) DO NOTHING;
END $$;

-- Raise an alert, or note that what it is about goes on.
CREATE OR REPLACE FUNCTION hub_sessions_alert(
    p_hub bigint, p_at timestamptz, p_kind text, p_subject text, p_detail text
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hub_sessions_alert AS a (hub_id, kind, subject, detail, raised_at, last_seen_at)
    VALUES (p_hub, p_kind, p_subject, p_detail, p_at, p_at)
    ON CONFLICT (hub_id, kind, subject) WHERE resolved_at IS NULL
    DO UPDATE SET last_seen_at = excluded.last_seen_at, detail = excluded.detail;
END $$;

-- One event id with two contents: the first one stays, the others are kept in quarantine.
CREATE OR REPLACE FUNCTION hub_sessions_report_conflicts(
    p_hub bigint, p_at timestamptz, p_events json, p_conflicts int[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hub_sessions_quarantine(p_hub, p_at, json_agg(json_build_object(
            'id', g.id, 'raw', g.raw, 'code', 'conflict',
            'detail', 'This id is already that of an event with other content.'))),
        hub_sessions_alert(p_hub, p_at, 'conflict', min(g.id),
            'The hub sent several events with one id. The first is kept, the others are in '
            'quarantine.')
    FROM json_to_recordset(p_events) AS g (i int, id text, raw text)
    WHERE g.i = ANY (p_conflicts)
    GROUP BY g.id;
END $$;

-- Two events with one place in a sender's sequence: an outbox was restored from a backup.
CREATE OR REPLACE FUNCTION hub_sessions_report_reuse(
    p_hub bigint, p_at timestamptz, p_stored bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM hub_sessions_alert(p_hub, p_at, 'sequence_reused', 'epoch ' || n.epoch,
        'Several events have one number, for example ' || max(n.seq) || ': was an outbox '
        'restored from a backup? All of them count.')
    FROM unnest(p_stored) AS k (id) CROSS JOIN LATERAL (
        SELECT e.id, e.epoch, e.seq FROM hub_sessions_hubevent e WHERE e.id = k.id OFFSET 0
    ) n
    WHERE EXISTS (
        SELECT FROM hub_sessions_hubevent o
        WHERE o.hub_id = p_hub AND o.epoch = n.epoch AND o.seq = n.seq AND o.id <> n.id OFFSET 0)
    GROUP BY n.epoch;
END $$;

-- The first event of a sender while others are known from another: the outbox began anew, and what
-- the old one had not sent is lost. What the portal itself found comes from no outbox.
CREATE OR REPLACE FUNCTION hub_sessions_report_new_outbox(
    p_hub bigint, p_at timestamptz, p_stored bigint[]
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    first hub_sessions_hubevent;
    last_time timestamptz;
BEGIN
    FOR first IN SELECT e.* FROM unnest(p_stored) AS k (id) CROSS JOIN LATERAL (
        SELECT * FROM hub_sessions_hubevent h WHERE h.id = k.id OFFSET 0
    ) e WHERE e.seq = 1 AND e.type <> 'session.found' AND NOT EXISTS (
        SELECT FROM hub_sessions_hubevent o
        WHERE o.hub_id = p_hub AND o.epoch = e.epoch AND o.id <> ALL (p_stored))
    LOOP
        SELECT e.time INTO last_time FROM hub_sessions_hubevent e
        WHERE e.hub_id = p_hub AND e.seq > 0 AND e.type <> 'session.found'
            AND e.epoch <> first.epoch AND e.id <> ALL (p_stored)
        ORDER BY e.id DESC LIMIT 1;
        CONTINUE WHEN last_time IS NULL;
        PERFORM hub_sessions_alert(p_hub, p_at, 'outbox_lost', 'epoch ' || first.epoch,
            'The hub''s outbox began anew: was its disk lost? What was repaired says what cannot be '
            'known.');
        INSERT INTO hub_sessions_repair (
            hub_id, kind, user_name, server, moment, said, changed, confidence, found_at)
        VALUES (p_hub, 'lost', '', '', first.time,
            'Its outbox began anew. The last event before was of '
                || to_char(last_time AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS') || ' UTC.',
            'Nothing. What the old outbox had not sent is lost: ends are found from lists of '
            'servers and may be late; sessions that began and ended in between have no record.',
            'high', p_at);
    END LOOP;
END $$;

-- An empty snapshot that nobody believes yet is an alert until a later one makes it clear.
CREATE OR REPLACE FUNCTION hub_sessions_report_empty(p_hub bigint, p_at timestamptz)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    latest hub_sessions_snapshot;
BEGIN
    SELECT * INTO latest FROM hub_sessions_snapshot s
    WHERE s.hub_id = p_hub AND s.is_complete ORDER BY s.time DESC, s.key DESC LIMIT 1;
    IF latest.listed > 0 OR EXISTS (
        SELECT FROM hub_sessions_trusted_snapshots(p_hub, latest.time) t WHERE t.id = latest.id)
    THEN
        UPDATE hub_sessions_alert SET resolved_at = p_at
        WHERE hub_id = p_hub AND kind = 'empty_snapshot' AND resolved_at IS NULL;
    ELSIF latest.listed = 0 THEN
        PERFORM hub_sessions_alert(p_hub, p_at, 'empty_snapshot', 'no servers',
            'The hub listed no server while more than 10 run. Their sessions end when it says so '
            'three times in a row.');
    END IF;
END $$;
