-- The complete snapshots of a hub whose word counts, in order, each with its successor.
--
-- An empty one while more than 10 servers run counts only among three empty ones in a row. Running
-- at that moment are those ready before and neither stopped nor superseded by then, without those
-- that the last snapshot with servers in it does not list. Reliable for snapshots from p_since on:
-- the reading starts at the last one before that with servers in it. Where snapshots were removed
-- the one before the gap has no successor.
CREATE OR REPLACE FUNCTION hub_sessions_trusted_snapshots(p_hub bigint, p_since timestamptz)
RETURNS TABLE (id bigint, "time" timestamptz, next_id bigint)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH complete AS (
        SELECT s.id, s.time, s.key, s.listed,
            count(*) FILTER (WHERE s.listed > 0) OVER (ORDER BY s.time, s.key) AS stretch,
            count(*) FILTER (WHERE s.follows_gap) OVER (ORDER BY s.time, s.key) AS run
        FROM hub_sessions_snapshot s
        WHERE s.hub_id = p_hub AND s.is_complete AND s.time >= coalesce(
            (SELECT max(b.time) FROM hub_sessions_snapshot b
             WHERE b.hub_id = p_hub AND b.is_complete AND b.listed > 0 AND b.time < p_since),
            '-infinity')
    ), judged AS (
        SELECT c.*, count(*) FILTER (WHERE c.listed = 0) OVER stretch AS empties,
            max(c.id) FILTER (WHERE c.listed > 0) OVER stretch AS last_id,
            max(c.time) FILTER (WHERE c.listed > 0) OVER stretch AS last_time
        FROM complete c WINDOW stretch AS (PARTITION BY c.stretch)
    )
    SELECT j.id, j.time, lead(j.id) OVER (PARTITION BY j.run ORDER BY j.time, j.key)
    FROM judged j
    WHERE j.listed > 0 OR j.empties >= 3 OR 10 >= (
        SELECT count(*) FROM (
            SELECT FROM hub_sessions_session s
            WHERE s.hub_id = p_hub AND s.ready_at < j.time
                AND (s.ended_at IS NULL OR s.ended_at > j.time OR s.absent_at IS NOT NULL)
                AND coalesce(least(s.stopped_at, s.superseded_at), 'infinity') > j.time
                AND (j.last_id IS NULL OR j.last_time <= s.ready_at OR EXISTS (
                    SELECT FROM hub_sessions_snapshotpart p
                    WHERE p.snapshot_id = j.last_id
                        AND (s.key = ANY (p.sessions) OR s.seat = ANY (p.seats))))
            LIMIT 11
        ) running
    );
END $$;

-- The first of two snapshots in a row, from p_since on, that say a session is gone: for each of the
-- keys that was ready before and that no other evidence had ended by then. A server in its seat that
-- started more than a minute after it was ready is another one.
CREATE OR REPLACE FUNCTION hub_sessions_absent(p_hub bigint, p_keys uuid[], p_since timestamptz)
RETURNS TABLE (key uuid, absent_at timestamptz)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN QUERY
    WITH trusted AS MATERIALIZED (
        SELECT * FROM hub_sessions_trusted_snapshots(p_hub, p_since)
    ), listed AS MATERIALIZED (
        SELECT p.snapshot_id, unnest(p.sessions) AS entry, NULL::timestamptz AS started_at
        FROM hub_sessions_snapshotpart p JOIN trusted t ON t.id = p.snapshot_id
        UNION ALL
        SELECT p.snapshot_id, place.seat, place.started_at
        FROM hub_sessions_snapshotpart p JOIN trusted t ON t.id = p.snapshot_id
        CROSS JOIN LATERAL unnest(p.seats, p.starts) AS place (seat, started_at)
    )
    SELECT s.key, min(t.time)
    FROM hub_sessions_session s
    JOIN trusted t ON t.time >= p_since AND t.time > s.ready_at AND t.next_id IS NOT NULL
        AND t.time < coalesce(least(s.stopped_at, s.superseded_at), 'infinity')
    WHERE s.hub_id = p_hub AND s.key = ANY (p_keys)
        AND NOT EXISTS (SELECT FROM listed l WHERE l.snapshot_id = t.id AND l.entry = s.key)
        AND NOT EXISTS (
            SELECT FROM listed l WHERE l.snapshot_id = t.id AND l.entry = s.seat
                AND coalesce(l.started_at, '-infinity') <= s.ready_at + interval '1 minute')
        AND NOT EXISTS (SELECT FROM listed l WHERE l.snapshot_id = t.next_id AND l.entry = s.key)
        AND NOT EXISTS (
            SELECT FROM listed l WHERE l.snapshot_id = t.next_id AND l.entry = s.seat
                AND coalesce(l.started_at, '-infinity') <= s.ready_at + interval '1 minute')
    GROUP BY s.key;
END $$;
