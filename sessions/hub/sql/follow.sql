-- Bring up to date what follows from new events of the touched sessions and from new snapshots.
CREATE OR REPLACE FUNCTION hub_sessions_follow(
    p_hub bigint, p_at timestamptz, p_touched uuid[], p_snapshots bigint[], p_newcomer bigint
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    before hub_sessions_session[];
    keys uuid[] := '{}';
BEGIN
    IF p_touched IS NOT NULL THEN
        before := ARRAY(SELECT s FROM hub_sessions_these(p_hub, p_touched) s);
        PERFORM hub_sessions_apply(p_hub, p_touched, p_at);
        PERFORM hub_sessions_note_kinds(before);
        keys := p_touched || hub_sessions_follow_seats(p_hub, p_at, p_touched, before);
    END IF;
    keys := keys || hub_sessions_follow_snapshots(p_hub, keys, before, p_snapshots, p_newcomer);
    -- A session can be touched, a neighbour and found gone by one batch; it has one charge.
    PERFORM hub_sessions_charge(p_hub, ARRAY(SELECT DISTINCT unnest(keys)));
END $$;

-- Sessions before which a touched one now begins, or no longer does, end otherwise than before.
CREATE OR REPLACE FUNCTION hub_sessions_follow_seats(
    p_hub bigint, p_at timestamptz, p_touched uuid[], p_before hub_sessions_session[]
) RETURNS uuid[] LANGUAGE plpgsql AS $$
DECLARE
    neighbours uuid[];
    adopted uuid[] := hub_sessions_adopted_beside(p_hub, p_touched, p_before);
BEGIN
    IF adopted = '{}' AND NOT EXISTS (
        SELECT FROM hub_sessions_these(p_hub, p_touched) s LEFT JOIN unnest(p_before) b USING (key)
        WHERE (b.seat, b.begins_at) IS DISTINCT FROM (s.seat, s.begins_at))
    THEN
        RETURN '{}';
    END IF;
    neighbours := ARRAY(
        SELECT DISTINCT n.key
        FROM (
            SELECT s.seat, s.begins_at FROM hub_sessions_these(p_hub, p_touched) s
            UNION
            SELECT b.seat, b.begins_at FROM unnest(p_before) b
        ) place
        CROSS JOIN LATERAL (
            SELECT s.key, s.stopped_at, s.superseded_at FROM hub_sessions_session s
            WHERE s.hub_id = p_hub AND s.seat = place.seat AND s.begins_at = (
                SELECT max(o.begins_at) FROM hub_sessions_session o
                WHERE o.hub_id = p_hub AND o.seat = place.seat AND o.begins_at < place.begins_at)
            UNION ALL
            SELECT s.key, s.stopped_at, s.superseded_at FROM hub_sessions_session s
            WHERE s.hub_id = p_hub AND s.seat = place.seat AND s.begins_at = (
                SELECT max(o.begins_at) FROM hub_sessions_session o
                WHERE o.hub_id = p_hub AND o.seat = place.seat AND o.begins_at < place.begins_at
                    AND o.adopted_until IS NULL)
                AND EXISTS (
                    SELECT FROM hub_sessions_session o
                    WHERE o.hub_id = p_hub AND o.seat = place.seat AND o.adopted_until IS NOT NULL)
            OFFSET 0
        ) n
        WHERE n.key <> ALL (p_touched) AND (
            coalesce(n.stopped_at, 'infinity') > place.begins_at OR n.superseded_at IS NOT NULL)
    );
    neighbours := ARRAY(SELECT unnest(neighbours) UNION SELECT unnest(adopted));
    IF neighbours <> '{}' THEN
        PERFORM hub_sessions_apply(p_hub, neighbours, p_at);
    END IF;
    RETURN neighbours;
END $$;

-- Note the days of closed charges whose sessions were of another kind before: a request that is told
-- late brings image and size, and may change nothing in the charge itself.
CREATE OR REPLACE FUNCTION hub_sessions_note_kinds(p_before hub_sessions_session[])
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    closed hub_sessions_charge[];
BEGIN
    IF p_before = '{}' THEN
        RETURN;
    END IF;
    closed := ARRAY(
        SELECT c FROM unnest(p_before) b
        CROSS JOIN LATERAL (
            SELECT * FROM hub_sessions_session f WHERE f.number = b.number OFFSET 0
        ) s
        CROSS JOIN LATERAL (
            SELECT * FROM hub_sessions_charge f
            WHERE f.session_id = b.number AND f.ended_at IS NOT NULL OFFSET 0
        ) c
        WHERE (b.image, b.size, b.affiliation) IS DISTINCT FROM (s.image, s.size, s.affiliation)
    );
    IF closed <> '{}' THEN
        PERFORM hub_sessions_note_days(closed);
    END IF;
END $$;

-- Sessions made from lists in the places of the touched ones: what is told of those decides whether
-- these count.
CREATE OR REPLACE FUNCTION hub_sessions_adopted_beside(
    p_hub bigint, p_touched uuid[], p_before hub_sessions_session[]
) RETURNS uuid[] LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN ARRAY(
        SELECT DISTINCT a.key
        FROM (
            SELECT s.seat FROM hub_sessions_these(p_hub, p_touched) s
            UNION
            SELECT b.seat FROM unnest(p_before) b
        ) place
        CROSS JOIN LATERAL (
            SELECT f.key FROM hub_sessions_session f
            WHERE f.hub_id = p_hub AND f.seat = place.seat AND f.adopted_until IS NOT NULL
            OFFSET 0
        ) a
        WHERE a.key <> ALL (p_touched)
    );
END $$;
